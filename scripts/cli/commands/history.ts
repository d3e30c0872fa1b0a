import { LockageError } from '../../../pipelines/errors.ts';
import { historyOf } from '../../../pipelines/inspection/history.ts';
import { environmentNamed } from '../../../pipelines/model/pipeline.ts';
import type { Flags } from '../main.ts';
import { historyLines } from '../views/history.ts';
import { withWorld } from '../run-command.ts';

/** `lockage history` */
export async function historyCommand(
  name: string,
  flags: Flags & { limit: string },
  signal: AbortSignal,
): Promise<void> {
  const limit = countOf(flags.limit, '-n');
  await withWorld(flags, signal, async (world) => {
    const environment = environmentNamed(world.project, name);
    const history = historyOf(environment.name, await world.records.environment(environment.name), limit);
    world.terminal.result(history, historyLines(history, world.now()));
  });
}

/** A whole number of at least 1. Throws LockageError naming the option. */
export function countOf(text: string, option: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new LockageError(`${option} takes a number of at least 1, not ${JSON.stringify(text)}`);
}
