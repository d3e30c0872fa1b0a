import { LockageError } from '../errors.ts';
import type { Environment } from '../model/environment.ts';
import type { ContainerChange } from '../model/plan.ts';
import type { Release } from '../model/release.ts';

/** Refuses hosts that cannot run the release's platform, by name. `emulates`: one that they run besides their own. */
export function checkPlatform(
  release: Release,
  hosts: readonly { host: { name: string }; platform: string }[],
  emulates?: string,
): void {
  if (release.platform === emulates) return;
  const wrong = hosts.filter(({ platform }) => platform !== release.platform);
  if (wrong.length === 0) return;
  throw new LockageError(`release ${release.version} was built for ${release.platform}`, {
    details: wrong.map(({ host, platform }) => `${host.name} runs ${platform}`),
    hint: `Build it for the hosts: build.platform in lockage.yaml.`,
  });
}

/** Refuses roles that would run as root, unless the configuration allows it with a reason. */
export function checkUser(release: Release, environment: Environment): void {
  if (release.user === undefined || !/^(root|[+-]?0+)?(:.*)?$/.test(release.user)) return;
  const roots = environment.roles.filter(({ hardening }) => hardening.user === undefined && !hardening.allowRoot);
  if (roots.length === 0) return;
  throw new LockageError(`release ${release.version} runs as root`, {
    details: roots.map(({ name }) => `role ${name} of ${environment.name} takes the image's user`),
    hint: 'Add a USER to the Dockerfile, or set hardening.user; hardening.allowRoot opens it, with a reason.',
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
