import { driftedOf } from '../../../pipelines/inspection/drift.ts';
import { environmentNamed } from '../../../pipelines/model/pipeline.ts';
import type { HealResult } from '../../../pipelines/operations/heal.ts';
import { perform } from '../../../pipelines/operations/perform.ts';
import { environmentsInUse } from '../../../pipelines/operations/steps/in-use.ts';
import type { CommandContext } from '../open-context.ts';
import { requestOf, waitOf, type Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';
import { healJson, healLines } from '../views/heal.ts';

/** Runs `lockage heal`: for all environments one after the other, up to the first that is not healed. */
export async function healCommand(name: string | undefined, flags: Flags, signal: AbortSignal): Promise<void> {
  await runCommand({ ...flags, about: name }, signal, async (context) => {
    const { project, terminal } = context;
    const all = name === undefined ? await thoseThatRun(context) : [environmentNamed(project, name).name];
    const results: [environment: string, result: HealResult][] = [];
    const done = () => ({ app: project.app, environments: results.map(healJson) });
    for (const environment of all) {
      const result = await perform(context, 'heal', { environment, ...requestOf(flags) }, waitOf(flags));
      results.push([environment, result]);
      terminal.soFar(done());
      if (!flags.json) terminal.result({}, healLines(environment, result));
    }
    if (flags.json) terminal.result(done(), []);
  });
}

/** Returns the environments in which something was ever brought, or has drifted all the same. One that is archived runs nothing. */
export async function thoseThatRun(context: Pick<CommandContext, 'project' | 'records' | 'drift'>): Promise<string[]> {
  const { records, drift } = context;
  const found = await Promise.all(
    (await environmentsInUse(context)).map(async (environment) => {
      const record = await records.environment(environment.name);
      if (record.ledger.revisions.length > 0) return [environment.name];
      return driftedOf(await drift.find(environment, record)) === 'some' ? [environment.name] : [];
    }),
  );
  return found.flat();
}
