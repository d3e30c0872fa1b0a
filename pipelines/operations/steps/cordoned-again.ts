import type { DesiredState, PlacedContainer } from '../../model/desired-state.ts';
import { existingContainers, type EnvironmentRecord } from '../../model/ledger.ts';
import type { Cordon } from '../../model/revision.ts';
import { recordedState } from '../../planning/recorded-state.ts';

/** An operation that failed, and what was recorded before it. */
interface Failed {
  readonly desired: DesiredState;
  readonly before: EnvironmentRecord;
}

/**
 * Returns what hosts served that were on their way back into service, and are cordoned again: each what it had when it was
 * cordoned. Going back asks nothing else of them. Undefined where there is no such host.
 */
export function cordonedAgain({ desired, before }: Failed): DesiredState | undefined {
  const isBack = ({ host }: Cordon) => !desired.ledger.cordons?.some((other) => other.host === host);
  const serving = (before.ledger.cordons ?? []).filter(isBack).flatMap(({ host }) => servedOn(before, host));
  if (serving.length === 0) return undefined;
  const { app, environment, operation, turn, ledger } = desired;
  return { ...recordedState({ app, environment }, before, ledger, { operation, turn }), serving };
}

function servedOn(record: EnvironmentRecord, host: string): PlacedContainer[] {
  const last = record.ledger.revisions.findLast(
    ({ result, containers }) => result === 'succeeded' && containers.some((container) => container.host === host),
  );
  return last ? existingContainers(record, last).filter((placed) => placed.host.name === host) : [];
}
