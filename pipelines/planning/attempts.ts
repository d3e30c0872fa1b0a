import type { RolloutInputs } from './rollout-inputs.ts';
import { currentRevision } from '../model/ledger.ts';
import { containerSpecs, type ContainerSpec } from '../model/container-spec.ts';
import { LockageError, ExitCode } from '../errors.ts';

/**
 * The specs of the release. Where its containers are recorded but some do not run as they should, the next attempt's
 * names are taken: what is broken is replaced by new containers and never repaired.
 */
export function freshSpecs(app: string, situation: RolloutInputs, versions: Record<string, string>) {
  const { environment, release, record, reports } = situation;
  const current = currentRevision(record.ledger);
  const attempts = Array.from({ length: 100 }, (_, attempt) => attempt);
  // What runs now may be a later attempt: if it does well, it is what the release is here.
  const now = current?.release.digest === release.digest ? namesOf(current.containers) : '';
  const ofNow = attempts.find(
    (attempt) => namesOf(containerSpecs(app, environment, release, versions, attempt)) === now,
  );
  for (const attempt of ofNow === undefined ? attempts : [ofNow, ...attempts]) {
    const specs = containerSpecs(app, environment, release, versions, attempt);
    const recorded = specs.filter((spec) => record.containers.some(({ spec: other }) => other.name === spec.name));
    const broken = recorded.some((spec) => {
      const report = reports.find(({ host }) => host.name === spec.host);
      // A standby without traffic rests; everything else has to run.
      const rests = !spec.route && !current?.containers.some(({ name }) => name === spec.name);
      return rests ? !report?.present.has(spec.name) : !report?.running.has(spec.name);
    });
    if (!broken) return { specs, broken: attempt > 0 && attempt !== ofNow };
  }
  throw new LockageError(`100 attempts at ${release.version} are recorded in ${environment.name}`, {
    code: ExitCode.refused,
    hint: 'Make a new release.',
  });
}

function namesOf(specs: readonly ContainerSpec[]): string {
  return specs
    .map(({ name }) => name)
    .sort()
    .join();
}
