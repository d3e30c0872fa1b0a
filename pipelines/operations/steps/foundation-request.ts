import type { Environment } from '../../model/environment.ts';
import type { RolloutInputs } from '../../planning/rollout-inputs.ts';
import type { FoundationRequest } from '../ports/stacks.ts';

/** Returns the foundation that a rollout stands on. `whole`: the environment with its cordoned hosts. */
export function foundationRequest(inputs: RolloutInputs, whole: Environment): FoundationRequest {
  const { environment: active, versions, reports, heals } = inputs;
  const drifted = heals?.treated.filter(({ by }) => by === 'renew');
  return { environment: whole, active, versions, reports, ...(drifted ? { drifted } : {}) };
}
