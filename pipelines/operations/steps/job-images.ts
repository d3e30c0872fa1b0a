import type { DesiredState, PlacedJob } from '../../model/desired-state.ts';
import type { Environment } from '../../model/environment.ts';
import type { EnvironmentHost } from '../../model/target.ts';
import { imagesOf, withImages } from '../../planning/plan-verification.ts';
import type { Context } from '../ports.ts';

/** Gets the images of jobs to their hosts before anything is changed. Returns the jobs with the names that these have there. */
export async function withJobImages(
  { verification }: Pick<Context, 'verification'>,
  environment: Environment,
  { jobs = [] }: Pick<DesiredState, 'jobs'>,
): Promise<readonly PlacedJob[]> {
  const named = new Set(imagesOf(environment));
  const wanted = jobs.flatMap(({ host, spec: { image } }) =>
    named.has(image) ? [{ host: host as EnvironmentHost, image }] : [],
  );
  if (wanted.length === 0) return jobs;
  return withImages(jobs, await verification.prepare(environment, wanted));
}
