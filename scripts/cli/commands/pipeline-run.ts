import { runPipeline, type Passage } from '../../../pipelines/operations/run-pipeline.ts';
import { exitCodeOf, exitCodeOfAll, exitCodeOfStopped } from '../exit-codes.ts';
import { waitOf, type Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';
import { pipelineLines, type PassageEnd } from '../views/pipeline.ts';

/** Runs `lockage pipeline run`. */
export async function pipelineRunCommand(flags: Flags & { release?: string }, signal: AbortSignal): Promise<void> {
  // Whoever wrote `promote: auto` has agreed: nobody is asked.
  await runCommand({ ...flags, yes: true }, signal, async (context) => {
    const { version, environments } = await runPipeline(context, {
      ...(flags.release === undefined ? {} : { version: flags.release }),
      ...(flags.plan ? { planOnly: true } : {}),
      ...waitOf(flags),
    });
    const ends = environments.map(endOf);
    context.terminal.result({ version, environments: ends }, pipelineLines(version, ends));
    const codes = ends.flatMap(({ error }) => error?.code ?? []);
    process.exitCode = signal.aborted ? exitCodeOfStopped(codes) : exitCodeOfAll(codes);
  });
}

function endOf({ error, ...passage }: Passage): PassageEnd {
  if (!error) return passage;
  const { message, details, hint } = error;
  return { ...passage, error: { message, details, ...(hint === undefined ? {} : { hint }), code: exitCodeOf(error) } };
}
