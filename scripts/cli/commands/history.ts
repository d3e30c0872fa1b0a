import { historyOf } from '../../../pipelines/inspection/history.ts';
import { archiveOf } from '../../../pipelines/model/archive.ts';
import { environmentNamed } from '../../../pipelines/model/pipeline.ts';
import { countOf, type Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';
import { historyLines } from '../views/history.ts';
import { jobLines } from '../views/verification.ts';

/** Runs `lockage history`. */
export async function historyCommand(
  name: string,
  flags: Flags & { limit: string; revision?: string },
  signal: AbortSignal,
): Promise<void> {
  const limit = countOf(flags.limit, '-n');
  const number = flags.revision === undefined ? undefined : countOf(flags.revision, '--revision');
  await runCommand({ ...flags, about: name }, signal, async (context) => {
    const { records } = context;
    // The configuration of an archived environment may be gone.
    if (!archiveOf(await records.archives(), name)) environmentNamed(context.project, name);
    const [record, blocks] = await Promise.all([records.environment(name), records.blocks()]);
    const history = historyOf(name, { record, blocks }, { limit, number });
    const jobs = number === undefined ? [] : history.revisions.flatMap(({ verification = [] }) => verification);
    context.terminal.result(history, [...historyLines(history, context.now()), ...jobLines(jobs, context.now())]);
  });
}
