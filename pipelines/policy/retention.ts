import {
  currentRevision,
  goodRevisions,
  keptReleases,
  releasesKept,
  rollbackCandidates,
  type EnvironmentRecord,
} from '../model/ledger.ts';
import type { MachineImage } from '../model/machine-image.ts';
import type { Digest, Release } from '../model/release.ts';
import type { Ledger } from '../model/revision.ts';

/** The releases there are, and all environments that they went through or may go back to. */
export interface ReleaseGraph {
  readonly environments: readonly KnownEnvironment[];
  readonly releases: readonly Release[];
}

/** An environment, and what is recorded of it. */
export interface KnownEnvironment {
  readonly name: string;
  readonly record: Pick<EnvironmentRecord, 'ledger' | 'containers'>;
}

/** Returns all releases that are recorded, or that an environment tried. */
export function knownReleases({ environments, releases }: ReleaseGraph): readonly Release[] {
  return [...releases, ...environments.flatMap(({ record }) => record.ledger.revisions.map(({ release }) => release))];
}

/** The digests of what may not be removed, each with its first reason. */
export type Kept = ReadonlyMap<string, string>;

/** The number of releases that have run well nowhere and may be about to be promoted. */
const releasesAwaited = 10;

type Reason = readonly [digest: string, reason: string];

/**
 * Returns the images that no host may remove, as environments can share one: those that each environment runs, has ready, is
 * on hold for, tries or may go back to, and the last releases that ran well in none. One of these may be pulled already,
 * while its operator still looks at the plan.
 */
export function keptOnHosts({ environments, releases }: ReleaseGraph): Kept {
  return firstOf([
    ...environments.flatMap(servingIn),
    ...environments.flatMap(standbyIn),
    ...environments.flatMap(waysBackIn),
    ...environments.flatMap(triedIn),
    ...environments.flatMap((each) => heldIn(each, releases)),
    ...awaited(environments, releases),
  ]);
}

/**
 * Returns the images that a registry has to keep: those of hosts, and all that an environment's ledger has as good, since a
 * rollback to one of them that hosts have no more pulls it from there. An image that was built elsewhere is somebody else's.
 */
export function keptInRegistry(graph: ReleaseGraph): Kept {
  return firstOf([
    ...keptOnHosts(graph),
    ...graph.environments.flatMap(({ name, record }) =>
      goodRevisions(record.ledger).map(({ release, number }): Reason => [release.digest, wayBack(name, number)]),
    ),
    ...graph.releases
      .filter(({ adopted }) => adopted)
      .map(({ digest }): Reason => [digest, 'it was built elsewhere, and others may need it']),
  ]);
}

/** An environment whose machines are made from images. */
export interface MachinesOf {
  readonly name: string;
  /** digest of the image that its machines are made from */
  readonly image?: string;
  readonly ledger: Ledger;
}

/** Returns the images that machines are made from, or were when a revision ran that an environment may go back to. */
export function keptMachineImages(environments: readonly MachinesOf[], images: readonly MachineImage[]): Kept {
  const newest = new Map(images.map((image) => [image.kind, image]));
  return firstOf([
    ...environments.flatMap(({ name, image }): Reason[] =>
      image === undefined ? [] : [[image, `machines of ${name} are made from it`]],
    ),
    ...environments.flatMap(({ name, ledger }) =>
      goodRevisions(ledger)
        .filter(({ machineImage }) => machineImage !== undefined)
        .map(({ machineImage = '', number }): Reason => [machineImage, `revision ${number} of ${name} ran on it`]),
    ),
    ...[...newest.values()].map(({ digest, kind }): Reason => [digest, `it is the newest of ${kind} machines`]),
  ]);
}

/** Returns why an image is needed no more. */
export function reasonToGo(digest: string, { environments }: ReleaseGraph): string {
  const ran = environments.flatMap(({ name, record }) => {
    const last = goodRevisions(record.ledger).findLast(({ release }) => release.digest === digest);
    return last ? [`${name} (revision ${last.number})`] : [];
  });
  if (ran.length > 0) return `it ran in ${ran.join(', ')}, where the last ${releasesKept} good releases are kept`;
  const archived = environments.filter(({ record }) =>
    record.ledger.revisions.some(({ result, release }) => result === 'succeeded' && release.digest === digest),
  );
  const where =
    archived.length === 0
      ? 'nowhere'
      : `only in ${archived.map(({ name }) => name).join(', ')} before that was archived`;
  return `it ran well ${where}, and the last ${releasesAwaited} of that kind are kept`;
}

function firstOf(reasons: readonly Reason[]): Kept {
  return new Map([...reasons].reverse());
}

function servingIn({ name, record }: KnownEnvironment): Reason[] {
  const current = currentRevision(record.ledger);
  return current ? [[current.release.digest, `it serves in ${name}`]] : [];
}

function standbyIn({ name, record }: KnownEnvironment): Reason[] {
  return record.containers.map(({ spec }) => [spec.image.split('@')[1] ?? '', `it is a standby in ${name}`]);
}

function waysBackIn({ name, record }: KnownEnvironment): Reason[] {
  const kept = new Set(keptReleases(record.ledger).map(({ digest }) => digest));
  const ways = [...rollbackCandidates(record.ledger), ...[...goodRevisions(record.ledger)].reverse()];
  return ways
    .filter(({ release }) => kept.has(release.digest))
    .map(({ release, number }) => [release.digest, wayBack(name, number)]);
}

const wayBack = (name: string, number: number) => `${name} may go back to revision ${number}`;

/** An attempt without an outcome may be under way. */
function triedIn({ name, record }: KnownEnvironment): Reason[] {
  const last = record.ledger.revisions.at(-1);
  return last?.result === 'unfinished' ? [[last.release.digest, `an attempt at it in ${name} did not end`]] : [];
}

function heldIn({ name, record }: KnownEnvironment, releases: readonly Release[]): Reason[] {
  const { hold } = record.ledger;
  const held = releases.filter(({ version }) => version === hold?.version);
  return held.map(({ digest }) => [digest, `${name} is on hold since it was rolled back`]);
}

function awaited(environments: readonly KnownEnvironment[], releases: readonly Release[]): Reason[] {
  const ran = new Set<Digest>(
    environments.flatMap(({ record }) => goodRevisions(record.ledger).map(({ release }) => release.digest)),
  );
  const waiting = releases.filter(({ digest }) => !ran.has(digest)).slice(-releasesAwaited);
  return waiting.map(({ digest }) => [digest, 'it may be promoted next']);
}
