import { messageOf, OvertakenError, PartialError } from '../../errors.ts';
import { restsAsStandby } from '../../model/container-spec.ts';
import { samePlace, type DesiredState, type PlacedContainer } from '../../model/desired-state.ts';
import type { EnvironmentRecord } from '../../model/ledger.ts';
import { environmentNamed } from '../../model/pipeline.ts';
import { recordedState } from '../../planning/recorded-state.ts';
import type { Context } from '../ports.ts';
import { startInTurn } from './start-in-turn.ts';
import { verifyBack, type BackResult } from './verify-back.ts';

/** An operation that failed, and what was recorded before it. */
interface Failed {
  readonly desired: DesiredState;
  readonly before: EnvironmentRecord;
}

/**
 * Leads hosts back to what served before by asking them alone, where the state cannot be made to agree: they may have confirmed
 * what nobody has recorded, and would go on with it. Returns how far they are back; undefined where new machines were to take
 * over, whose traffic hosts do not lead, or where somebody else has the hosts by now. Never throws for a host.
 *
 * @param second - what kept the state from being put back
 * @param aside - what hosts serve that are cordoned again
 */
export async function leadBack(
  context: Context,
  { desired, before }: Failed,
  second: unknown,
  aside: DesiredState | undefined,
): Promise<BackResult | undefined> {
  if (desired.handover || second instanceof OvertakenError || second instanceof PartialError) return undefined;
  const { app, environment: name, operation, turn, stopFirst } = desired;
  const environment = environmentNamed(context.project, name);
  const state = recordedState({ app, environment: name }, before, before.ledger, { operation, turn });
  // What cannot be started, switched or stopped is found by asking.
  if (stopFirst) {
    const turns = { start: stopFirst.before, stop: [], first: stopFirst.start };
    await startInTurn(context, environment, turns).catch(() => undefined);
  }
  try {
    await context.hosts.switchNow(state);
  } catch (error) {
    if (error instanceof OvertakenError) return undefined;
  }
  const closed = await closeOthers(context, { ...state, standby: desired.serving });
  const workers = desired.serving.filter((placed) => restsAsStandby(placed.spec) && !isIn(state.serving, placed));
  if (workers.length > 0) await context.hosts.startAndStop(environment, [], workers).catch(() => undefined);
  const result = await verifyBack(context, state, aside, stopFirst?.roles);
  return closed === undefined ? result : { back: 'in part', faults: [...result.faults, closed] };
}

/** Lets hosts on which nothing served before lead their visitors nowhere again. Returns what kept one from it. */
function closeOthers({ hosts }: Pick<Context, 'hosts'>, state: DesiredState): Promise<string | undefined> {
  return hosts.closeIdle(state).then(() => undefined, messageOf);
}

function isIn(list: readonly PlacedContainer[], placed: PlacedContainer): boolean {
  return list.some((other) => samePlace(other, placed));
}
