import { messageOf } from '../../pipelines/errors.ts';
import { edgeOf, type ProviderContext } from '../context/provider-context.ts';
import type { TurnInputs } from '../resources/inputs.ts';

/**
 * Tells hosts that an operation has been recorded: each keeps a copy of the record, for operators who have lost it. One
 * that cannot be told is shown; it takes the operation for one that was killed, and lets the next one take over.
 */
export async function keepRecord(context: ProviderContext, inputs: TurnInputs, copy: string): Promise<void> {
  const told = inputs.hosts.map(async (host) => {
    try {
      await (await edgeOf(context, inputs, host)).keepRecord(inputs.turn, copy);
    } catch (error) {
      context.progress({ host: host.name, step: 'no copy', detail: `of the record: ${messageOf(error)}` });
    }
  });
  await Promise.all(told);
}
