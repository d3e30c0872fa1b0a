import { setTimeout as sleep } from 'node:timers/promises';
import { findDrift } from '../../../infra/hosts/drift.ts';
import type { Timeouts } from '../../../infra/hosts/query.ts';
import { driftedOf } from '../../../pipelines/inspection/drift.ts';
import { environmentNamed } from '../../../pipelines/model/pipeline.ts';
import { ExitCode } from '../exit-codes.ts';
import type { CommandContext } from '../open-context.ts';
import type { Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';
import { driftJson, driftLines, type EnvironmentDrift } from '../views/drift.ts';

/** Every container is looked into: a busy host needs some seconds. */
const timeouts: Timeouts = { first: 5000, total: 60_000 };
/** Milliseconds between two looks of `--watch`. */
const pause = 10_000;

interface DriftFlags extends Flags {
  readonly watch?: boolean;
}

/** Runs `lockage drift`. */
export async function driftCommand(name: string | undefined, flags: DriftFlags, signal: AbortSignal): Promise<void> {
  await runCommand({ ...flags, keyless: true }, signal, async (context) => {
    const { environments } = context.project;
    const names =
      name === undefined ? environments.map((each) => each.name) : [environmentNamed(context.project, name).name];
    for (;;) {
      const found = await Promise.all(names.map((each) => driftOf(context, each)));
      context.terminal.result(
        { app: context.project.app, environments: found.map(driftJson) },
        driftLines(found, context.now()),
      );
      const drifted = driftedOf(found.flatMap(({ hosts }) => hosts));
      process.exitCode = drifted === 'none' ? ExitCode.ok : ExitCode.partial;
      if (!flags.watch) return;
      await sleep(pause, undefined, { signal });
    }
  });
}

async function driftOf({ project, records, connections }: CommandContext, name: string): Promise<EnvironmentDrift> {
  const environment = environmentNamed(project, name);
  const [record, standing] = await Promise.all([records.environment(name), records.standing(name)]);
  return { name, hosts: await findDrift(connections, project.app, environment, { record, standing }, timeouts) };
}
