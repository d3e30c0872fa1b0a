import { releaseStatuses } from '../../../pipelines/inspection/history.ts';
import type { Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';
import { releaseLines } from '../views/history.ts';

/** Runs `lockage releases`. */
export async function releasesCommand(flags: Flags, signal: AbortSignal): Promise<void> {
  await runCommand(flags, signal, async (context) => {
    const { app, environments } = context.project;
    const archives = await context.records.archives();
    const names = new Set([...environments.map(({ name }) => name), ...archives.map(({ environment }) => environment)]);
    const [releases, blocks, records] = await Promise.all([
      context.records.releases(),
      context.records.blocks(),
      Promise.all([...names].map(async (name) => [name, await context.records.environment(name)] as const)),
    ]);
    const statuses = releaseStatuses({ releases, blocks }, records);
    context.terminal.result({ app, releases: statuses }, releaseLines(statuses, context.now()));
  });
}
