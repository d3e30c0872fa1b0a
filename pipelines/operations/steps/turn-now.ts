import { lastNumber, turnOf, type Turn } from '../../model/fence.ts';
import type { HostReport } from '../../model/host-report.ts';
import type { EnvironmentRecord } from '../../model/ledger.ts';
import type { DesiredState } from '../../model/desired-state.ts';
import type { Ledger } from '../../model/revision.ts';
import { recordedState } from '../../planning/recorded-state.ts';
import type { Context } from '../ports.ts';

/** The facts about an environment that gets no other revision. */
export interface Known {
  /** what is recorded from now on */
  readonly ledger: Ledger;
  /** what hosts said */
  readonly reports: readonly Pick<HostReport, 'fence'>[];
  /** the operation that the same command has claimed hosts with since they said that */
  readonly operation?: string;
}

/** Returns the turn of an operation that makes no revision: it acts as the last one that is recorded. */
export function turnNow(context: Pick<Context, 'newOperation'>, known: Known, operation?: string): Turn {
  return turnOf({ ...known, revision: lastNumber(known.ledger), operation: operation ?? context.newOperation() });
}

/** Returns what is recorded of an environment as a desired state, with another ledger: what runs stays as it is. */
export function stateNow(
  context: Pick<Context, 'newOperation' | 'project'>,
  environment: string,
  { record, ...known }: Known & { readonly record: EnvironmentRecord },
): DesiredState {
  const operation = known.operation ?? context.newOperation();
  // A change is recorded only when it is: until then, hosts know the one before.
  const turn = turnOf({
    ledger: record.ledger,
    reports: known.reports,
    revision: lastNumber(known.ledger),
    operation,
  });
  const place = { app: context.project.app, environment };
  return recordedState(place, record, known.ledger, { operation, turn });
}
