import { releaseStatuses } from '../../../pipelines/inspection/history.ts';
import { releaseLines } from '../views/history.ts';
import { withWorld } from '../run-command.ts';
import type { Flags } from '../options.ts';

/** `lockage releases` */
export async function releasesCommand(flags: Flags, signal: AbortSignal): Promise<void> {
  await withWorld(flags, signal, async (world) => {
    const { app, environments } = world.project;
    const [releases, records] = await Promise.all([
      world.records.releases(),
      Promise.all(environments.map(async ({ name }) => [name, await world.records.environment(name)] as const)),
    ]);
    const statuses = releaseStatuses(releases, records);
    world.terminal.result({ app, releases: statuses }, releaseLines(statuses, world.now()));
  });
}
