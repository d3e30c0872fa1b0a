import type { DesiredState } from '../../pipelines/model/desired-state.ts';
import { hostRoutes } from '../edge/host-routes.ts';
import { Turn } from '../resources/classes.ts';
import { keepOthers, type RecordedResource } from '../resources/keep-others.ts';

/**
 * Returns the Pulumi program that records what is tried in an environment, and leaves everything else as it is
 * recorded.
 */
export function attemptProgram(desired: DesiredState): (recorded: readonly RecordedResource[]) => Promise<void> {
  return async (recorded) => keepOthers(recorded, claimTurn(desired));
}

/** Declares what the operation may act by, from what is recorded still: the first of an environment's resources. */
export function claimTurn(desired: DesiredState): Turn {
  const { app, environment, operation, turn, basis, attempts, audit } = desired;
  const hosts = hostRoutes(desired).map(({ host }) => host);
  const optional = { ...(attempts ? { attempts } : {}), ...(audit ? { audit } : {}) };
  return new Turn({ app, environment, operation, turn, hosts, ...optional }, basis);
}
