import { InterruptedError, LockageError } from '../../../pipelines/errors.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import { rollbackCandidates } from '../../../pipelines/model/ledger.ts';
import { environmentNamed } from '../../../pipelines/model/pipeline.ts';
import { perform } from '../../../pipelines/operations/perform.ts';
import { ExitCode, exitCodeOf, exitCodeOfAll, exitCodeOfStopped } from '../exit-codes.ts';
import type { CommandContext } from '../open-context.ts';
import { waitOf, type Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';
import { drillLines, type DrillEnd } from '../views/drill.ts';

interface DrillFlags extends Flags {
  /** each environment that has something to go back to */
  readonly all?: boolean;
}

/** Runs `lockage drill`. */
export async function drillCommand(names: readonly string[], flags: DrillFlags, signal: AbortSignal): Promise<void> {
  // One reproduction alone: each has a context of its own.
  const about = names.length === 1 ? names[0] : undefined;
  await runCommand({ ...flags, about }, signal, async (context) => {
    if ((flags.all ?? false) === names.length > 0) throw whichOnes();
    const { project } = context;
    const chosen = flags.all ? project.environments : names.map((name) => environmentNamed(project, name));
    await drillEach(context, chosen, flags);
  });
}

/** Drills environments, until the operator stops it. How those before that ended is shown, and in the exit code, too. */
export async function drillEach(
  context: CommandContext,
  chosen: readonly Environment[],
  flags: DrillFlags,
): Promise<void> {
  const ends: DrillEnd[] = [];
  // One after the other: each shows its own steps, and hosts may be shared.
  for (const environment of chosen) {
    const isOver = context.signal.aborted || ends.some(wasStopped);
    ends.push(
      isOver ? { environment: environment.name, outcome: 'not tried' } : await drillOf(context, environment, flags),
    );
  }
  context.terminal.result({ environments: ends }, drillLines(ends));
  const codes = ends.flatMap(({ error }) => error?.code ?? []);
  process.exitCode = ends.some(wasStopped) ? exitCodeOfStopped(codes) : exitCodeOfAll(codes);
}

function wasStopped({ outcome, error }: DrillEnd): boolean {
  return outcome === 'not tried' || error?.code === ExitCode.interrupted;
}

function whichOnes(): LockageError {
  return new LockageError('say which environments, or --all', { hint: 'Run `lockage drill --all`, or name them.' });
}

/** Drills one environment. What fails there keeps no other one from being drilled. */
async function drillOf(context: CommandContext, { name }: Environment, flags: DrillFlags): Promise<DrillEnd> {
  try {
    const { ledger } = await context.records.environment(name);
    if (flags.all && rollbackCandidates(ledger).length === 0)
      return { environment: name, outcome: 'nothing to go back to' };
    const request = { environment: name, startedAt: context.now() };
    return { environment: name, ...(await perform(context, 'drill', request, waitOf(flags))) };
  } catch (thrown) {
    const isOfStop = context.signal.aborted && !(thrown instanceof LockageError);
    const error = isOfStop ? new InterruptedError('interrupted', { cause: thrown }) : thrown;
    if (!(error instanceof LockageError)) throw error;
    const { message, details } = error;
    return { environment: name, outcome: 'failed', error: { message, details, code: exitCodeOf(error) } };
  }
}
