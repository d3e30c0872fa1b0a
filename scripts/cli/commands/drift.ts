import { setTimeout as sleep } from 'node:timers/promises';
import { findDrift } from '../../../infra/hosts/drift.ts';
import type { Timeouts } from '../../../infra/hosts/query.ts';
import { driftedOf } from '../../../pipelines/inspection/drift.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import { environmentNamed } from '../../../pipelines/model/pipeline.ts';
import { ExitCode } from '../exit-codes.ts';
import { quietEnd } from '../interrupt.ts';
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
export async function driftCommand(
  name: string | undefined,
  flags: DriftFlags,
  interrupt: () => AbortSignal,
): Promise<void> {
  const signal = flags.watch ? quietEnd() : interrupt();
  await runCommand({ ...flags, keyless: true }, signal, async (context) => {
    const { project, terminal } = context;
    const environments = name === undefined ? project.environments : [environmentNamed(project, name)];
    do {
      const found = await Promise.all(environments.map((each) => driftOf(context, each)));
      if (signal.aborted) return;
      const document = { app: project.app, environments: found.map(driftJson) };
      if (flags.watch && flags.json) terminal.entry(document);
      else terminal.result(document, driftLines(found, context.now()));
      const drifted = driftedOf(found.flatMap(({ hosts }) => hosts));
      process.exitCode = drifted === 'none' ? ExitCode.ok : ExitCode.partial;
      if (flags.watch) await sleep(pause, undefined, { signal }).catch(() => undefined);
    } while (flags.watch && !signal.aborted);
  });
}

async function driftOf(
  { project, records, connections }: CommandContext,
  environment: Environment,
): Promise<EnvironmentDrift> {
  const { name } = environment;
  const [record, standing] = await Promise.all([records.environment(name), records.standing(name)]);
  return { name, hosts: await findDrift(connections, project.app, environment, { record, standing }, timeouts) };
}
