import { LockageError } from '../errors.ts';
import { knownRevision, lastKnown } from '../model/fence.ts';
import type { HostReport } from '../model/host-report.ts';
import type { EnvironmentRecord } from '../model/ledger.ts';

type Known = Pick<EnvironmentRecord, 'ledger' | 'pending'>;
type Asked = readonly Pick<HostReport, 'host' | 'fence'>[];

/** Returns whether hosts know more than the record does. */
export function isAhead(record: Known, reports: Asked): boolean {
  return hostsAhead(record, reports).length > 0;
}

/**
 * Refuses to act on what an older copy of the state says: its hosts would be moved back to what somebody has left behind.
 * Throws LockageError naming the hosts that know more.
 */
export function refuseAhead({ name }: { readonly name: string }, record: Known, reports: Asked): void {
  const ahead = hostsAhead(record, reports);
  if (ahead.length === 0) return;
  const known = knownTo(record, reports);
  const highest = Math.max(...ahead.map(({ revision }) => revision));
  const knows = known === 0 ? 'this state knows none' : `this state knows ${known}`;
  throw new LockageError(`hosts of ${name} know revision ${highest}, ${knows}`, {
    details: ahead.map(({ host, revision }) => `${host}: revision ${revision}`),
    hint:
      known === 0
        ? `This state is new or was lost: \`lockage adopt ${name}\` rebuilds it from what these hosts know. If they serve another ` +
          'project, name `app` or the environment otherwise.'
        : `This is an older copy of the state: take the newer one back, or run \`lockage adopt ${name}\`.`,
  });
}

function knownTo(record: Known, reports: Asked): number {
  return lastKnown(
    record,
    reports.map(({ fence }) => fence),
  );
}

function hostsAhead(record: Known, reports: Asked): { readonly host: string; readonly revision: number }[] {
  const known = knownTo(record, reports);
  return reports.flatMap(({ host, fence }) => {
    const revision = fence && knownRevision(fence);
    return revision !== undefined && revision > known ? [{ host: host.name, revision }] : [];
  });
}
