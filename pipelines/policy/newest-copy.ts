import { LockageError } from '../errors.ts';
import type { Environment } from '../model/environment.ts';
import { knownRevision, lastKnown, lastNumber } from '../model/fence.ts';
import type { EnvironmentRecord } from '../model/ledger.ts';
import { sameRecord, type KeptRecord, type RecordCopy } from '../model/record-copy.ts';
import type { Ledger } from '../model/revision.ts';

/** The copy of a record that is newer than what is recorded here, and the hosts that have it. */
export interface NewestCopy {
  readonly copy: RecordCopy;
  readonly hosts: readonly string[];
}

/** The search for a copy. */
export interface Search {
  readonly environment: Pick<Environment, 'name' | 'hosts'>;
  /** what is recorded here */
  readonly own: Pick<EnvironmentRecord, 'ledger' | 'pending'>;
  /** the host whose copy is to be taken where they differ */
  readonly from?: string;
}

/** A host's copy. */
interface Held {
  readonly host: string;
  readonly copy: RecordCopy;
}

/**
 * Returns the newest copy of an environment's record that its hosts keep. Throws LockageError when there is none, when it
 * is not newer than what is recorded here, when hosts disagree, or when one that may know more does not answer.
 */
export function newestCopy(search: Search, kept: readonly KeptRecord[]): NewestCopy {
  const newest = newestOf(kept);
  const chosen = search.from === undefined ? agreedOf(newest) : newest.filter(({ host }) => host === search.from);
  const [first] = chosen;
  refuseSilent(search, first?.copy.record.ledger ?? search.own.ledger, kept);
  refuseNothingNew(search, newest, kept);
  if (!first) throw search.from === undefined ? theyDiffer(search, newest) : notOf(search.from, newest);
  const same = newest.filter(({ copy }) => sameRecord(copy, first.copy));
  return { copy: first.copy, hosts: same.map(({ host }) => host) };
}

function newestOf(kept: readonly KeptRecord[]): readonly Held[] {
  const all = kept.flatMap(({ host, copy }): Held[] => (copy ? [{ host: host.name, copy }] : []));
  const highest = Math.max(0, ...all.map(numberOf));
  return all.filter((held) => numberOf(held) === highest);
}

/** Returns the copies that all agree on, apart from hosts that a copy itself says are cordoned: these are not told. */
function agreedOf(newest: readonly Held[]): readonly Held[] {
  const agreed = newest.filter((held) => {
    const cordoned = new Set((held.copy.record.ledger.cordons ?? []).map(({ host }) => host));
    return newest.every(({ host, copy }) => cordoned.has(host) || sameRecord(copy, held.copy));
  });
  const [first] = agreed;
  return first && agreed.every(({ copy }) => sameRecord(copy, first.copy)) ? agreed : [];
}

function refuseSilent({ environment }: Search, ledger: Ledger, kept: readonly KeptRecord[]): void {
  const cordoned = new Set((ledger.cordons ?? []).map(({ host }) => host));
  const silent = kept.filter(({ host, error }) => error !== undefined && !cordoned.has(host.name));
  if (silent.length === 0) return;
  throw new LockageError(`${silent.length} of ${kept.length} hosts of ${environment.name} do not answer`, {
    details: silent.map(({ host, error = '' }) =>
      error.startsWith(`${host.name}:`) ? error : `${host.name}: ${error}`,
    ),
    hint:
      'They may know a later revision: bring them back, or say `--without HOST` for one that is dead. One that is not ' +
      'configured any more has to be named under `targets` again for that.',
  });
}

function refuseNothingNew(
  { environment: { name }, own: record }: Search,
  newest: readonly Held[],
  kept: readonly KeptRecord[],
): void {
  const own = lastKnown(
    record,
    kept.map(({ fence }) => fence),
  );
  const recorded = Math.max(0, ...kept.map(({ fence }) => (fence ? knownRevision(fence) : 0)));
  const copied = Math.max(0, ...newest.map(numberOf));
  if (recorded === 0 && copied === 0) {
    throw new LockageError(`hosts of ${name} know no revision: there is nothing to adopt`, {
      hint: `Bring a release there: \`lockage promote VERSION --to ${name}\`.`,
    });
  }
  if (own >= Math.max(recorded, copied)) {
    throw new LockageError(
      `this state knows revision ${own} of ${name}, and hosts know no later one: nothing to adopt`,
      {
        hint: `Look at \`lockage status --env ${name}\`.`,
      },
    );
  }
  if (copied >= recorded) return;
  const newestText = copied === 0 ? 'none has a copy of the record' : `the newest copy is of revision ${copied}`;
  throw new LockageError(`hosts of ${name} know revision ${recorded}, and ${newestText}`, {
    details: kept.map(({ host, copy, noCopy = 'it keeps no copy of the record' }) =>
      copy ? `${host.name}: a copy of revision ${lastNumber(copy.record.ledger)}` : `${host.name}: ${noCopy}`,
    ),
    hint: 'Take a copy of the state back; "The state is lost or older" in docs/operations.md says what else can be done.',
  });
}

function theyDiffer({ environment: { name } }: Search, newest: readonly Held[]): LockageError {
  const revision = Math.max(...newest.map(numberOf));
  return new LockageError(`hosts of ${name} have different copies of revision ${revision}`, {
    details: newest.map(({ host, copy }) => `${host}: by operation ${copy.operation}, ${summaryOf(copy)}`),
    hint: `Choose one: \`lockage adopt ${name} --from HOST\`.`,
  });
}

function summaryOf({ record: { ledger } }: RecordCopy): string {
  const cordoned = (ledger.cordons ?? []).map(({ host }) => host);
  return [
    ledger.hold ? 'on hold' : 'not on hold',
    cordoned.length > 0 ? `${cordoned.join(', ')} cordoned` : 'no host cordoned',
  ].join(', ');
}

function notOf(from: string, newest: readonly Held[]): LockageError {
  return new LockageError(`${from} does not have the newest copy of the record`, {
    details: newest.map((held) => `${held.host}: revision ${numberOf(held)}`),
    hint: 'Name one of these with `--from`.',
  });
}

function numberOf({ copy }: Held): number {
  return lastNumber(copy.record.ledger);
}
