import { setTimeout as sleep } from 'node:timers/promises';
import { LockageError } from '../../../pipelines/errors.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import { environmentNamed } from '../../../pipelines/model/pipeline.ts';
import { environmentsInUse } from '../../../pipelines/operations/steps/in-use.ts';
import { ExitCode, exitCodeOf } from '../exit-codes.ts';
import { quietEnd } from '../interrupt.ts';
import { movedTags } from '../moved-tags.ts';
import type { CommandContext } from '../open-context.ts';
import type { Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';
import { errorJson } from '../terminal.ts';
import { driftJson, driftLines, driftOfAll, type EnvironmentDrift } from '../views/drift.ts';

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
  await runCommand({ ...flags, about: name, keyless: true }, signal, async (context) => {
    const { project } = context;
    const environments = name === undefined ? await environmentsInUse(context) : [environmentNamed(project, name)];
    await look(context, environments, flags);
    while (flags.watch && !signal.aborted) {
      await sleep(pause, undefined, { signal }).catch(() => undefined);
      if (!signal.aborted) await lookAgain(context, environments, flags);
    }
  });
}

async function look(context: CommandContext, environments: readonly Environment[], flags: DriftFlags): Promise<void> {
  const { project, terminal, signal } = context;
  const found = await Promise.all(environments.map((each) => driftOf(context, each)));
  // Whoever watches has seen what there was; whoever has asked once has no answer.
  if (flags.watch && signal.aborted) return;
  signal.throwIfAborted();
  const document = { app: project.app, environments: found.map(driftJson) };
  if (flags.watch && flags.json) terminal.entry(document);
  else terminal.result(document, driftLines(found, context.now()));
  process.exitCode = found.every((each) => driftOfAll(each) === 'none') ? ExitCode.ok : ExitCode.partial;
}

/** Whoever watches sees that something is not to be had now, as a backend, and goes on. */
async function lookAgain(...[context, environments, flags]: Parameters<typeof look>): Promise<void> {
  try {
    await look(context, environments, flags);
  } catch (error) {
    if (!(error instanceof LockageError)) throw error;
    if (flags.json) context.terminal.entry({ error: errorJson(error) });
    else context.terminal.error(error);
    process.exitCode = exitCodeOf(error);
  }
}

async function driftOf(context: CommandContext, environment: Environment): Promise<EnvironmentDrift> {
  const { name } = environment;
  const record = await context.records.environment(name);
  const [hosts, registry] = await Promise.all([context.drift.find(environment, record), movedTags(context, record)]);
  return { name, hosts, registry };
}
