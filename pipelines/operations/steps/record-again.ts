import type { Environment } from '../../model/environment.ts';
import { lastNumber, turnOf } from '../../model/fence.ts';
import type { HostReport } from '../../model/host-report.ts';
import type { EnvironmentRecord } from '../../model/ledger.ts';
import type { Ledger } from '../../model/revision.ts';
import { recordedState } from '../../planning/recorded-state.ts';
import type { Context } from '../ports.ts';

/** Another ledger for what is recorded of an environment. */
export interface NewLedger {
  readonly record: EnvironmentRecord;
  readonly ledger: Ledger;
  /** what the hosts in service said */
  readonly reports: readonly HostReport[];
  /** for the stack's history */
  readonly message: string;
}

/** Writes another ledger; what runs stays as it is. */
export async function recordAgain(
  context: Context,
  environment: Environment,
  { record, ledger, reports, message }: NewLedger,
): Promise<void> {
  const place = { app: context.project.app, environment: environment.name };
  const operation = context.newOperation();
  const turn = turnOf({ revision: lastNumber(ledger), operation, ledger, reports });
  const desired = recordedState(place, record, ledger, { operation, turn });
  await context.stacks.deploy(desired, message);
}
