import { fingerprint } from './fingerprint.ts';
import type { Release } from './release.ts';

/**
 * The registry of the releases of a project that names none. Each operator has one on the computer at hand, and no name
 * server knows it: what is recorded is not where it is reached today, which is a port.
 */
export const embeddedRegistry = 'embedded.lockage.internal';

/** The repository of edge images that set-up made, for all projects. It never moves to a registry of one’s own. */
export const embeddedEdge = `${embeddedRegistry}/lockage-edge`;

/**
 * Returns the repository of a project that names none. One registry serves all projects of an operator, so its path also says
 * whose state the releases are recorded in: two projects may have the same name.
 */
export function embeddedRepository(app: string, backend: string): string {
  return `${embeddedRegistry}/${app}-${fingerprint(backend)}`;
}

/** Returns whether a repository lies in the registry of the computer that an image was made on. */
export function isEmbedded(repository: string): boolean {
  return repository.startsWith(`${embeddedRegistry}/`);
}

/**
 * Returns a release as it is found today: one that was made before the project named a repository is in that one now, with
 * the same digest.
 */
export function asConfigured(release: Release, repository: string): Release {
  return isEmbedded(release.repository) && !isEmbedded(repository) ? { ...release, repository } : release;
}
