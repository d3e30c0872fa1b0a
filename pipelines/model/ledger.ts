import type { Archive } from './archive.ts';
import type { AuditHead } from './audit-entry.ts';
import type { PlacedContainer } from './desired-state.ts';
import type { SignaturePolicy } from './evidence/signature-policy.ts';
import { lastNumber } from './fence.ts';
import { canonicalJson } from './fingerprint.ts';
import type { Release } from './release.ts';
import type { Attempt, Ledger, Revision } from './revision.ts';

/** The record of an environment: its ledger, and the containers that its state says exist. */
export interface EnvironmentRecord {
  /** a mark of what is recorded: whoever decides from it can change it only while it is the same */
  readonly basis: string;
  /** with the pending attempts */
  readonly ledger: Ledger;
  /** attempts that are recorded, and in no ledger yet: every change of the record keeps them until they are */
  readonly pending?: readonly Attempt[];
  readonly containers: readonly PlacedContainer[];
  /** the migration that ran last */
  readonly migration?: {
    readonly host: PlacedContainer['host'];
    readonly spec: PlacedContainer['spec'];
    readonly timeout: number;
  };
  readonly secrets: readonly { readonly name: string; readonly version: string }[];
  /** where its ledger comes from: it is archived, and has none of its own any more */
  readonly archive?: Archive;
  /** the end of the audit log when it was recorded */
  readonly audit?: AuditHead;
}

/** The number of revisions that a ledger keeps. */
export const ledgerLength = 30;

/** Returns the revision that runs: the last one that succeeded, unless it was archived. */
export function currentRevision(ledger: Ledger): Revision | undefined {
  return goodRevisions(ledger).at(-1);
}

/** Returns the revisions that succeeded, oldest first, without those of a time before the environment was archived. */
export function goodRevisions({ revisions }: Ledger): Revision[] {
  const last = revisions.findLastIndex(({ ended }) => ended !== undefined);
  return revisions.slice(last + 1).filter(({ result }) => result === 'succeeded');
}

/** Returns the number of the next revision. Numbers only grow, also over rollbacks and failures. */
export function nextNumber(ledger: Ledger): number {
  return lastNumber(ledger) + 1;
}

/**
 * Returns the ledger with one more revision, at most `ledgerLength` of them. However many failures follow each other,
 * the revision that runs, the one a rollback goes to, and the one with the policy that counts are kept.
 */
export function withRevision(ledger: Ledger, revision: Revision): Ledger {
  const all = { ...ledger, revisions: [...ledger.revisions, revision] };
  const needed = [currentRevision(all)?.number, rollbackCandidates(all)[0]?.number, recordedPolicy(all)?.revision];
  let surplus = all.revisions.length - ledgerLength;
  return { ...all, revisions: all.revisions.filter((each) => needed.includes(each.number) || surplus-- <= 0) };
}

/**
 * Returns the policy that counts, and the number of the revision that it was recorded with: the last one by which a release came
 * in. Rollbacks and repairs change none.
 */
export function recordedPolicy({ revisions }: Ledger): { policy: SignaturePolicy; revision: number } | undefined {
  const found = revisions.findLast(({ result, policy }) => result === 'succeeded' && policy !== undefined);
  return found?.policy && { policy: found.policy, revision: found.number };
}

/** Returns the ledger with the attempts that it does not have, which are pending then. */
export function withPending(
  ledger: Ledger,
  attempts: readonly Attempt[] = [],
): Pick<EnvironmentRecord, 'ledger' | 'pending'> {
  const next = nextNumber(ledger);
  const pending = attempts.filter(({ number }) => number >= next);
  if (pending.length === 0) return { ledger };
  const revisions = pending.map(({ operation: _, dumps: __, ...attempt }) => ({
    ...attempt,
    containers: [],
    secretVersions: {},
    duration: 0,
  }));
  return { ledger: withDumps(revisions.reduce<Ledger>(withRevision, ledger), pending), pending };
}

function withDumps(ledger: Ledger, pending: readonly Attempt[]): Ledger {
  const { dumps: known = [] } = ledger;
  const added = pending
    .flatMap(({ dumps = [] }) => dumps)
    .filter(({ file }) => !known.some((each) => each.file === file));
  return added.length === 0 ? ledger : { ...ledger, dumps: [...known, ...added] };
}

/** Returns a ledger whose environment runs nothing any more. Its revisions stay, and their numbers go on. */
export function retired(ledger: Ledger, since: string): Ledger {
  const { revisions, resumed, changed } = ledger;
  const number = currentRevision(ledger)?.number;
  return {
    revisions: revisions.map((revision) => (revision.number === number ? { ...revision, ended: since } : revision)),
    ...(resumed === undefined ? {} : { resumed }),
    ...(changed === undefined ? {} : { changed }),
  };
}

/** Returns attempts with one more; what was known of the same one before is replaced. */
export function withAttempt(attempts: readonly Attempt[] = [], added: Attempt): Attempt[] {
  return [...attempts.filter(({ number }) => number !== added.number), added];
}

type Contents = Pick<Revision, 'containers' | 'without'>;

/**
 * Returns whether two revisions run the same: image, configuration and secrets on the same hosts. Their containers may
 * have other names if one of them repairs the other; hosts that were cordoned for one of them are not compared.
 */
export function sameContainers(a: Contents, b: Contents): boolean {
  const ignored = new Set([...(a.without ?? []), ...(b.without ?? [])]);
  return contents(a, ignored) === contents(b, ignored);
}

function contents(revision: Contents, ignored: ReadonlySet<string>): string {
  return revision.containers
    .filter(({ host }) => !ignored.has(host))
    .map(({ name: _, alias: __, ...content }) => canonicalJson(content))
    .sort()
    .join();
}

/**
 * Returns the earlier good revisions a rollback can go to, newest first: each differs from what runs, and no two run
 * the same containers. A revision that a rollback left is not offered, as that was the bad one.
 */
export function rollbackCandidates(ledger: Ledger): Revision[] {
  const current = currentRevision(ledger);
  if (!current) return [];
  const found: Revision[] = [];
  for (const revision of goodHistory(ledger).slice(1)) {
    if (sameContainers(revision, current)) continue;
    if (!found.some((other) => sameContainers(other, revision))) found.push(revision);
  }
  return found.map((revision) => completed(ledger, revision));
}

/**
 * Adds to a revision the containers of hosts that were cordoned when it was made, as far as an equal revision ran on
 * them: going back to it leaves none of them out.
 */
export function completed(ledger: Ledger, revision: Revision): Revision {
  const { without = [], ...rest } = revision;
  const found = without.map((host) => ({ host, containers: containersOn(host, ledger, revision) }));
  const missed = found.filter(({ containers }) => containers.length === 0).map(({ host }) => host);
  return {
    ...rest,
    containers: [...revision.containers, ...found.flatMap(({ containers }) => containers)],
    ...(missed.length > 0 ? { without: missed } : {}),
  };
}

function containersOn(host: string, ledger: Ledger, like: Revision): Revision['containers'] {
  const equal = goodRevisions(ledger).findLast(
    (other) => sameContainers(other, like) && other.containers.some((spec) => spec.host === host),
  );
  return equal?.containers.filter((spec) => spec.host === host) ?? [];
}

/**
 * Returns the good revisions as a line, newest first: after a rollback to revision n the line goes on before n, so
 * that a second rollback goes further back and not to what the first one left, also where that had run before.
 */
function goodHistory(ledger: Ledger): Revision[] {
  let line: Revision[] = [];
  for (const revision of goodRevisions(ledger)) {
    if (revision.kind === 'rollback') line = beforeRollback(line, revision);
    line.push(revision);
  }
  return line.reverse();
}

/** Returns the line before what a rollback restores, without revisions equal to the one that was left. */
function beforeRollback(line: readonly Revision[], rollback: Revision): Revision[] {
  const left = line.at(-1);
  const index = line.findLastIndex(
    (earlier) => earlier.number === rollback.restores || sameContainers(earlier, rollback),
  );
  if (index < 0 || !left) return [...line];
  return line.slice(0, index).filter((earlier) => !sameContainers(earlier, left));
}

/** The number of different releases an environment can go back to: their images stay on the hosts. */
export const releasesKept = 5;

/** Returns the last good releases of an environment, newest first, each once. */
export function keptReleases(ledger: Ledger): Release[] {
  const kept = new Map<string, Release>();
  for (const { release } of goodRevisions(ledger).reverse()) {
    if (kept.size < releasesKept) kept.set(release.digest, release);
  }
  return [...kept.values()];
}

/** Returns a revision's containers as far as the state says they exist. */
export function existingContainers(
  record: EnvironmentRecord,
  revision: Pick<Revision, 'containers'>,
): PlacedContainer[] {
  return record.containers.filter(({ host, spec }) =>
    revision.containers.some((other) => other.host === host.name && other.name === spec.name),
  );
}
