import type { Environment } from '../../model/environment.ts';
import type { RolloutInputs } from '../../planning/rollout-inputs.ts';
import type { FoundationRequest } from '../ports.ts';

/** Returns the foundation that a rollout stands on. `whole`: the environment with its cordoned hosts. */
export function foundationRequest(inputs: RolloutInputs, whole: Environment): FoundationRequest {
  return { environment: whole, active: inputs.environment, versions: inputs.versions, reports: inputs.reports };
}
