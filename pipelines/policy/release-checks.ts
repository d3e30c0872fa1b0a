import { LockageError } from '../errors.ts';
import type { Environment } from '../model/environment.ts';
import type { ContainerChange } from '../model/plan.ts';
import { isRoot, platformsOf, type Release } from '../model/release.ts';

/** Refuses hosts that cannot run the release's platform, by name. `emulates`: one that they run besides their own. */
export function checkPlatform(
  release: Release,
  hosts: readonly { host: { name: string }; platform: string }[],
  emulates?: string,
): void {
  const built = platformsOf(release);
  if (emulates !== undefined && built.includes(emulates)) return;
  // A swarm says those of all its nodes. A variant of a platform runs on it, where it runs at all.
  const has = (platform: string) => built.some((each) => each === platform || each.startsWith(`${platform}/`));
  const wrong = hosts.filter(({ platform }) => !platform.split(', ').every(has));
  if (wrong.length === 0) return;
  throw new LockageError(`release ${release.version} was built for ${built.join(', ')}`, {
    details: wrong.map(({ host, platform }) => `${host.name} runs ${platform}`),
    hint: 'Build it for the hosts: build.platform in lockage.yaml, or build.platforms for several.',
  });
}

/** Refuses roles that would run as root, unless the configuration allows it with a reason. */
export function checkUser(release: Release, environment: Environment): void {
  if (release.user === undefined || !isRoot(release.user)) return;
  const roots = environment.roles.filter(({ hardening }) => hardening.user === undefined && !hardening.allowRoot);
  if (roots.length === 0) return;
  throw new LockageError(`release ${release.version} runs as root`, {
    details: roots.map(({ name }) => `role ${name} of ${environment.name} takes the image's user`),
    hint: 'Add a USER to the Dockerfile, or set hardening.user; hardening.allowRoot opens it, with a reason.',
  });
}

/** Refuses an image that does not say what to run, where a role does not say it either. */
export function checkCommand(release: Release, environment: Pick<Environment, 'name' | 'roles'>): void {
  if (!release.startless) return;
  const idle = environment.roles.filter(({ command }) => command === undefined);
  if (idle.length === 0) return;
  throw new LockageError(`the image of release ${release.version} does not say what to run`, {
    details: idle.map(({ name }) => `role ${name} of ${environment.name} has no command`),
    hint: 'Add a CMD or ENTRYPOINT to the Dockerfile, or set `command` of the role.',
  });
}

/**
 * Returns what is lost with each container of a role: what it writes to a volume that the image declares. Folders in memory
 * say so themselves.
 */
export function volumeNotes({ volumes = [] }: Release, { roles }: Pick<Environment, 'roles'>): string[] {
  const withoutEnd = (path: string) => path.replace(/\/+$/, '');
  return roles.flatMap(({ name, hardening }) => {
    const inMemory = Object.keys(hardening.tmpfs).map(withoutEnd);
    const lost = volumes.filter((path) => !inMemory.includes(withoutEnd(path)));
    if (lost.length === 0) return [];
    const where = lost.join(', ');
    return [
      `what ${name} writes to ${where} (a VOLUME of its image) goes with its container: data belong into an accessory`,
    ];
  });
}

/** Refuses to make containers whose names are taken by containers of others. */
export function checkNames(
  app: string,
  changes: readonly ContainerChange[],
  hosts: readonly { host: { name: string }; foreign: ReadonlySet<string> }[],
): void {
  const taken = changes.filter(
    ({ action, host, name }) =>
      action === 'create' && hosts.some((report) => report.host.name === host && report.foreign.has(name)),
  );
  if (taken.length === 0) return;
  throw new LockageError("names of new containers are taken by somebody else's", {
    details: taken.map(({ host, name }) => `${host}: a container named ${name} exists and is not of ${app}`),
    hint: 'Rename or remove it, then run the same command again.',
  });
}
