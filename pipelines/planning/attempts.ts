import { LockageError } from '../errors.ts';
import { containerSpecs, restsAsStandby, type ContainerSpec } from '../model/container-spec.ts';
import { currentRevision } from '../model/ledger.ts';
import type { RolloutInputs } from './rollout-inputs.ts';

const maxAttempts = 100;

/** The containers that a release is to have, and whether they repair what is broken. */
export interface FreshSpecs {
  readonly specs: readonly ContainerSpec[];
  readonly repairs: boolean;
}

/**
 * Returns the specs of the release. Where its containers are recorded but some do not run as they should, they get the
 * names of the next attempt: what is broken is replaced by new containers and never repaired. Throws LockageError.
 */
export function freshSpecs(inputs: RolloutInputs): FreshSpecs {
  const current = servingAttempt(inputs);
  const all = Array.from({ length: maxAttempts }, (_, attempt) => attempt);
  for (const attempt of current === undefined ? all : [current, ...all]) {
    const specs = specsOf(inputs, attempt);
    if (!isBroken(inputs, specs)) return { specs, repairs: attempt !== (current ?? 0) };
  }
  throw new LockageError(
    `${maxAttempts} attempts at ${inputs.release.version} are recorded in ${inputs.environment.name}`,
    {
      hint: 'Make a new release.',
    },
  );
}

/**
 * Returns the attempt that serves now, if it is one at this very release: while it does well, it is what the release
 * is here.
 */
function servingAttempt(inputs: RolloutInputs): number | undefined {
  const current = currentRevision(inputs.record.ledger);
  if (current?.release.digest !== inputs.release.digest) return undefined;
  const now = namesOf(current.containers);
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    if (namesOf(specsOf(inputs, attempt)) === now) return attempt;
  }
  return undefined;
}

function specsOf(inputs: RolloutInputs, attempt: number): ContainerSpec[] {
  return containerSpecs({ ...inputs, attempt });
}

/**
 * Returns whether a recorded container does not run that has to. A standby rests, and so may what was stopped for another one
 * by an operation that was killed then: it is as good as it was.
 */
function isBroken({ record, reports }: RolloutInputs, specs: readonly ContainerSpec[]): boolean {
  const current = currentRevision(record.ledger);
  const recorded = specs.filter((spec) => record.containers.some(({ spec: other }) => other.name === spec.name));
  return recorded.some((spec) => {
    const report = reports.find(({ host }) => host.name === spec.host);
    const isCurrent = current?.containers.some(({ name }) => name === spec.name) ?? false;
    const rests =
      restsAsStandby(spec) && (!isCurrent || (spec.replace !== undefined && (record.pending ?? []).length > 0));
    return rests ? !report?.present.has(spec.name) : !report?.running.has(spec.name);
  });
}

function namesOf(specs: readonly ContainerSpec[]): string {
  return specs
    .map(({ name }) => name)
    .sort()
    .join();
}
