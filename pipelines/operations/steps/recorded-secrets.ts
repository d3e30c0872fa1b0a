import type { DesiredState } from '../../model/desired-state.ts';
import type { Context } from '../ports.ts';

/** With the recorded values of secrets, for containers that have to be made again exactly as they were. */
export async function withRecordedSecrets(context: Context, desired: DesiredState): Promise<DesiredState> {
  const recorded = await context.secrets.recorded(desired.environment);
  return {
    ...desired,
    secrets: desired.secrets.map((secret) => {
      const value = recorded[`${secret.name}@${secret.version}`];
      return value === undefined ? secret : { ...secret, value };
    }),
  };
}
