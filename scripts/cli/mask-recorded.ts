import { messageOf } from '../../pipelines/errors.ts';
import type { EnvironmentRecord } from '../../pipelines/model/ledger.ts';
import type { CommandContext } from './open-context.ts';

/**
 * Makes the terminal mask all values that are recorded of an environment, before it shows what containers print. Where
 * they cannot be read, it is said that they are not masked: to see the output may be more urgent.
 */
export async function maskRecorded(
  context: CommandContext,
  environment: string,
  { secrets }: EnvironmentRecord,
): Promise<void> {
  if (secrets.length === 0) return;
  try {
    await context.secrets.recall(environment, secrets);
  } catch (error) {
    context.terminal.note(`secrets are not masked in what follows: ${messageOf(error)}`);
  }
}
