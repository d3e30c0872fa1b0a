import { LockageError } from '../errors.ts';
import { lastNumber } from '../model/fence.ts';
import type { HostReport } from '../model/host-report.ts';
import type { Ledger } from '../model/revision.ts';

/**
 * Refuses to act on what an older copy of the state says: its hosts would be moved back to what somebody has left behind.
 * Throws LockageError naming the hosts that know more.
 */
export function refuseAhead(
  { name }: { readonly name: string },
  { ledger }: { readonly ledger: Ledger },
  reports: readonly Pick<HostReport, 'host' | 'fence'>[],
): void {
  const known = lastNumber(ledger);
  const ahead = reports.flatMap(({ host, fence }) => {
    const revision = fence && Math.max(fence.recorded, fence.revision - 1);
    return revision !== undefined && revision > known ? [{ host: host.name, revision }] : [];
  });
  if (ahead.length === 0) return;
  const highest = Math.max(...ahead.map(({ revision }) => revision));
  const knows = known === 0 ? 'this state knows none' : `this state knows ${known}`;
  throw new LockageError(`hosts of ${name} know revision ${highest}, ${knows}`, {
    details: ahead.map(({ host, revision }) => `${host}: revision ${revision}`),
    hint: `This is an older copy of the state: take the newer one back, then look at \`lockage status --env ${name}\`.`,
  });
}
