import { messageOf, OvertakenError } from '../../pipelines/errors.ts';
import { edgeOf, type ProviderContext } from '../context/provider-context.ts';
import type { TurnInputs } from '../resources/inputs.ts';

/**
 * Claims all hosts for an operation: from here on they refuse those before it. A host that does not answer is found out
 * where it is needed. Throws OvertakenError when one of them knows of a later operation.
 */
export async function takeTurn(context: ProviderContext, inputs: TurnInputs): Promise<void> {
  const claimed = await Promise.allSettled(
    inputs.hosts.map(async (host) => (await edgeOf(context, inputs, host)).claim(inputs.turn)),
  );
  const refused = claimed.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  if (refused.some((error) => error instanceof OvertakenError)) throw overtaken(inputs.environment, refused);
}

/** Returns the error of an operation that hosts refused, with what each of them said. */
export function overtaken(environment: string, errors: readonly unknown[]): OvertakenError {
  return new OvertakenError(`another operation has taken over ${environment}`, {
    details: errors.map(messageOf),
    hint: `Run \`lockage status --env ${environment}\` to see what it did, then the same command again.`,
  });
}
