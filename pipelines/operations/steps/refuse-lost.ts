import { withoutCordoned, withoutPending } from '../../model/cordons.ts';
import type { Environment } from '../../model/environment.ts';
import type { EnvironmentRecord } from '../../model/ledger.ts';
import { refuseAhead } from '../../policy/fence.ts';
import type { Context } from '../ports.ts';
import { askForFences } from './ask-for-fences.ts';

/**
 * Refuses to believe a state that finds nothing to do, where hosts know more than it: it is older, or was lost. Hosts that
 * do not answer say nothing, and keep the others from saying nothing. Throws LockageError.
 */
export async function refuseLost(context: Context, environment: Environment, record: EnvironmentRecord): Promise<void> {
  const asked = withoutPending(withoutCordoned(environment, record.ledger));
  if (asked.hosts.length === 0) return;
  refuseAhead(environment, record, (await askForFences(context, asked)).reports);
}
