import { samePlace, type DesiredState } from '../../model/desired-state.ts';
import type { Environment } from '../../model/environment.ts';
import { recordedState } from '../../planning/recorded-state.ts';
import type { Context } from '../ports.ts';
import { removeOthers } from './remove-others.ts';

/**
 * Makes an environment again what is recorded, after an operation that was killed: routes, then containers. Costs a call
 * to each host when there is nothing to do.
 */
export async function reconcile(context: Context, environment: Environment, desired: DesiredState): Promise<void> {
  await context.hosts.switchNow(desired);
  const record = await context.records.environment(environment.name);
  const kept = [...desired.serving, ...desired.standby];
  const containers = record.containers.filter((placed) => kept.some((other) => samePlace(other, placed)));
  if (containers.length < record.containers.length) {
    const place = { app: desired.app, environment: environment.name };
    const again = recordedState(place, { ...record, containers }, record.ledger, {
      operation: desired.operation,
      turn: desired.turn,
    });
    await context.stacks.deploy(again, 'clear up');
  }
  await removeOthers(context, environment, containers);
}
