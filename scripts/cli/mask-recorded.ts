import { messageOf } from '../../pipelines/errors.ts';
import type { EnvironmentRecord } from '../../pipelines/model/ledger.ts';
import type { AccessoryPlace } from '../../pipelines/operations/ports/accessories.ts';
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

/** The same before it shows what an accessory prints, whose values are in their sources only. */
export async function maskAccessory(context: CommandContext, place: AccessoryPlace): Promise<void> {
  const { environment, accessory } = place;
  const record = await context.records.environment(environment.name);
  await maskRecorded(context, environment.name, record);
  if (accessory.secrets.length === 0) return;
  const { migration: _, ...others } = environment;
  try {
    await context.secrets.read({ ...others, roles: [], accessories: [accessory] });
  } catch (error) {
    context.terminal.note(`secrets are not masked in what follows: ${messageOf(error)}`);
  }
}
