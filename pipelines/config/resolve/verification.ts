import type { VerificationJob } from '../../model/verification.ts';
import { defaultTimeout, type JobFile } from '../schema/verification.ts';
import { parseDuration } from '../schema/units.ts';
import { textValues } from './merge.ts';

/** Returns the jobs of an environment; nothing where there are none. `common`: the variables of the environment. */
export function resolveVerification(
  jobs: readonly JobFile[] = [],
  common: Readonly<Record<string, string>>,
): { readonly verification?: readonly VerificationJob[] } {
  if (jobs.length === 0) return {};
  return {
    verification: jobs.map(({ name, command, image, env = {}, secrets = [], timeout, retries = 0 }) => ({
      ...{ name, command },
      ...(image === undefined ? {} : { image }),
      env: { ...common, ...textValues(env) },
      secrets,
      timeout: (timeout === undefined ? undefined : parseDuration(timeout)) ?? defaultTimeout,
      retries,
    })),
  };
}
