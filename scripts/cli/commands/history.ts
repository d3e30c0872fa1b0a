import { historyOf } from '../../../pipelines/inspection/history.ts';
import { environmentNamed } from '../../../pipelines/model/pipeline.ts';
import { historyLines } from '../views/history.ts';
import { withWorld } from '../run-command.ts';
import { countOf, type Flags } from '../options.ts';

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
