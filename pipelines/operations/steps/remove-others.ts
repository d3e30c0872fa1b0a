import type { PlacedContainer } from '../../model/desired-state.ts';
import type { Environment } from '../../model/environment.ts';
import { migrationText } from '../../policy/running-migrations.ts';
import type { Context } from '../ports.ts';

/** Removes what killed operations have left, and says what of that is still at work and stays. */
export async function removeOthers(
  { hosts, terminal }: Pick<Context, 'hosts' | 'terminal'>,
  environment: Environment,
  recorded: readonly PlacedContainer[],
): Promise<void> {
  const atWork = await hosts.removeOthers(environment, recorded);
  for (const each of atWork)
    terminal.note(`a migration whose operator is gone still runs, and is left to end: ${migrationText(each)}`);
}
