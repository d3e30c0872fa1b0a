import type { OperationInfo } from '../../planning/rollout-inputs.ts';
import type { Context } from '../ports.ts';

/** Returns who acts now, with a new name for what Pulumi is to carry out. */
export function operationInfo(context: Pick<Context, 'project' | 'actor' | 'now' | 'newOperation'>): OperationInfo {
  return {
    app: context.project.app,
    actor: context.actor,
    now: context.now(),
    operation: context.newOperation(),
  };
}
