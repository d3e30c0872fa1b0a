import { LockageError } from '../errors.ts';
import type { HostReport } from '../model/host-report.ts';
import type { EnvironmentRecord } from '../model/ledger.ts';
import type { KeptRecord } from '../model/record-copy.ts';
import type { Ledger } from '../model/revision.ts';
import { toRecord } from '../model/target-record.ts';
import { edgeHosts, type Target } from '../model/target.ts';

/** Returns the hosts on which this record has nothing, and where an environment of that name was recorded: somebody else's, maybe. */
export function unknownHosts(
  { containers }: Pick<EnvironmentRecord, 'containers'>,
  reports: readonly Pick<HostReport, 'host' | 'fence'>[],
): readonly Target[] {
  const known = new Set(containers.flatMap(({ host }) => [host, ...edgeHosts(host)].map(placeOf)));
  return reports.flatMap(({ host, fence }) => ((fence?.recorded ?? 0) > 0 && !known.has(placeOf(host)) ? [host] : []));
}

/** A name alone may have been given to another machine. */
function placeOf(target: Target): string {
  return `${target.name} ${toRecord(target).url}`;
}

interface Place {
  readonly app: string;
  readonly environment: string;
}

/**
 * Refuses hosts that keep the record of another project, with the same names of application and environment: labels do not tell
 * the two apart, and what serves for one would be removed for the other. A host that was this one's own keeps a part of its
 * history; one whose record cannot be read may be anybody's. Throws LockageError.
 */
export function refuseStrangers(
  { app, environment }: Place,
  { ledger }: Pick<EnvironmentRecord, 'ledger'>,
  kept: readonly KeptRecord[],
): void {
  const others = kept.flatMap(({ host, copy }) =>
    copy && !isPartOf(copy.record.ledger, ledger) ? [{ host, copy }] : [],
  );
  if (others.length === 0) return refuseUnread({ app, environment }, kept);
  throw new LockageError(`on ${namesOf(others)}, ${environment} of ${app} is another project’s`, {
    details: others.map(({ host, copy }) => `${host.name}: ${whatOf(copy.record.ledger)}`),
    hint:
      `Name \`app\` or the environment otherwise, or take the host out of ${environment}. Nothing of theirs was touched. If nobody ` +
      `needs it any more, remove it on that host: \`docker rm -f $(docker ps -aq --filter label=lockage.app=${app} --filter ` +
      `label=lockage.environment=${environment})\`.`,
  });
}

function refuseUnread(place: Place, kept: readonly KeptRecord[]): void {
  const unread = kept.filter((each) => each.error !== undefined || each.unread);
  if (unread.length === 0) return;
  const { app, environment } = place;
  throw new LockageError(`whose ${environment} of ${app} is on ${namesOf(unread)} cannot be told`, {
    details: unread.map(({ host, error, noCopy }) => `${host.name}: ${error ?? noCopy ?? 'its copy cannot be read'}`),
    hint:
      `The copy of the record there would say so, and nothing was touched: have it answer, use the version of Lockage that wrote ` +
      `the copy, or take the host out of ${environment}.`,
  });
}

function namesOf(kept: readonly Pick<KeptRecord, 'host'>[]): string {
  return kept.map(({ host }) => host.name).join(', ');
}

/** Returns whether a ledger is what the other one was some time ago: revisions of the same number are the same ones. */
function isPartOf(kept: Ledger, own: Ledger): boolean {
  const numbers = new Map(own.revisions.map((revision) => [revision.number, revision]));
  const common = kept.revisions.flatMap((revision) => {
    const found = numbers.get(revision.number);
    return found ? [found.startedAt === revision.startedAt && found.release.digest === revision.release.digest] : [];
  });
  // With nothing in common nothing shows that it was this one's.
  return kept.revisions.length === 0 || (common.length > 0 && common.every(Boolean));
}

function whatOf({ revisions }: Ledger): string {
  const last = revisions.at(-1);
  return last
    ? `revision ${last.number}, ${last.release.version}, by ${last.actor} at ${last.startedAt}`
    : 'no revision';
}
