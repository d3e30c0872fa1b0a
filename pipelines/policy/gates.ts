import type { Environment } from '../model/environment.ts';
import { LockageError } from '../errors.ts';
import type { ContainerChange } from '../model/plan.ts';
import { currentRevision, type EnvironmentRecord } from '../model/ledger.ts';
import type { Release } from '../model/release.ts';
import { shortDigest } from '../model/release.ts';
import { didYouMean } from '../text/suggest.ts';
import { parseVersion } from '../model/version.ts';
import { whenText } from '../text/moment.ts';

/**
 * What must hold before a release may enter an environment: no hold, and it ran well in every environment before.
 * Throws LockageError with everything that does not.
 */
export function judge(
  release: Release,
  environment: Environment,
  record: EnvironmentRecord,
  upstream: Readonly<Record<string, EnvironmentRecord>>,
): void {
  const reasons: string[] = [];
  const hints: string[] = [];
  const { hold } = record.ledger;
  if (hold) {
    reasons.push(`${environment.name} is on hold since ${whenText(hold.since)} by ${hold.actor}: ${hold.reason}`);
    hints.push(`lockage resume ${environment.name}`);
  }
  for (const name of environment.after) {
    const before = upstream[name];
    if (before && ranWell(before, release)) continue;
    const current = before && currentRevision(before.ledger);
    reasons.push(
      current
        ? `${release.version} has not run well in ${name}, which runs ${current.release.version}`
        : `${release.version} has not run well in ${name}, where nothing runs yet`,
    );
    hints.push(`lockage promote ${release.version} --to ${name}`);
  }
  if (reasons.length === 0) return;
  throw new LockageError(`release ${release.version} may not enter ${environment.name}`, {
    details: reasons,
    hint: `Run ${hints.map((hint) => `\`${hint}\``).join(', then ')}.`,
  });
}

/** A release ran well where that very digest served, and what followed it, if anything did, was not a rollback from it. */
export function ranWell(record: EnvironmentRecord, release: Release): boolean {
  const revisions = record.ledger.revisions.filter(({ result }) => result === 'succeeded');
  const last = revisions.findLastIndex((revision) => revision.release.digest === release.digest);
  return last >= 0 && revisions[last + 1]?.kind !== 'rollback';
}

/** The recorded release of a version. Throws LockageError naming the versions there are. */
export function releaseNamed(releases: readonly Release[], version: string): Release {
  const found = releases.find((release) => release.version === version);
  if (found) return found;
  parseVersion(version);
  const names = releases.map((release) => release.version);
  const recent = releases.slice(-5).map((release) => `${release.version} (${shortDigest(release.digest)})`);
  throw new LockageError(`there is no release ${version}${didYouMean(version, names)}`, {
    details: recent.length > 0 ? [`latest releases: ${recent.reverse().join(', ')}`] : [],
    hint: `Make it with \`lockage release ${version}\`.`,
  });
}

/** Refuses hosts that cannot run the release's platform, by name. */
export function checkPlatform(release: Release, hosts: readonly { host: { name: string }; platform: string }[]): void {
  const wrong = hosts.filter(({ platform }) => platform !== release.platform);
  if (wrong.length === 0) return;
  throw new LockageError(`release ${release.version} was built for ${release.platform}`, {
    details: wrong.map(({ host, platform }) => `${host.name} runs ${platform}`),
    hint: `Build it for the hosts: build.platform in lockage.yaml.`,
  });
}

/** Refuses roles that would run as root, unless the configuration allows it with a reason. */
export function checkUser(release: Release, environment: Environment): void {
  if (release.user === undefined || !/^(root|0+)?(:.*)?$/.test(release.user)) return;
  const roots = environment.roles.filter(({ hardening }) => hardening.user === undefined && !hardening.allowRoot);
  if (roots.length === 0) return;
  throw new LockageError(`release ${release.version} runs as root`, {
    details: roots.map(({ name }) => `role ${name} of ${environment.name} takes the image's user`),
    hint: 'Add a USER to the Dockerfile, or set hardening.user; hardening.allowRoot opens it, with a reason.',
  });
}

/** Refuses to make containers whose names somebody else's have. */
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
