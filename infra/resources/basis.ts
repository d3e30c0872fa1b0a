import { createHash } from 'node:crypto';
import { RecordChangedError } from '../../pipelines/errors.ts';
import { canonicalJson } from '../../pipelines/model/fingerprint.ts';

/**
 * A mark of the recorded inputs that new ones were made from. It goes with the new inputs to the provider, which compares
 * it with what the state holds by then. Pulumi holds the stack's lock meanwhile, so nothing that somebody else recorded
 * is ever overwritten, whatever the backend is. The mark itself is not recorded.
 */
export type Basis = string;

const member = 'basis';

/** Returns the mark of a resource's inputs as the state holds them; undefined where it holds none. */
export function basisOf(recorded: object | undefined): Basis {
  const inputs = Object.entries(recorded ?? {}).filter(([key]) => !key.startsWith('__') && key !== member);
  if (inputs.length === 0) return 'nothing';
  return createHash('sha256')
    .update(canonicalJson(Object.fromEntries(inputs)))
    .digest('hex');
}

/** Returns inputs that are refused unless the state still holds what they were made from. */
export function basedOn<Inputs extends object>(basis: Basis, inputs: Inputs): Inputs & { readonly [member]: Basis } {
  return { ...inputs, [member]: basis };
}

/** Returns inputs without the mark of what they were made from. */
export function withoutBasis(inputs: object): object {
  const { [member]: _, ...rest } = inputs as Readonly<Record<string, unknown>>;
  return rest;
}

/**
 * Returns new inputs as they are to be recorded: without their mark. Those without one are always accepted. Throws
 * RecordChangedError when the recorded ones are not those that the new ones were made from.
 */
export function acceptedInputs(recorded: object | undefined, inputs: object): object {
  const { [member]: basis } = inputs as Readonly<Record<string, unknown>>;
  if (basis !== undefined && basis !== basisOf(recorded)) {
    throw new RecordChangedError('somebody else changed the record meanwhile', {
      hint: 'Run the same command again.',
    });
  }
  return withoutBasis(inputs);
}
