import { detailsOf, LockageError, messageOf, PartialError } from '../errors.ts';
import { environmentNamed } from '../model/pipeline.ts';
import type { StartedMachine } from './ports/machines.ts';
import type { Context } from './ports.ts';

/** The machines to start. */
export interface StartMachinesRequest {
  /** absent: those of all environments */
  readonly only?: string;
}

/** The machines that run now. */
export interface StartMachinesResult {
  readonly machines: readonly StartedMachine[];
}

/**
 * Starts what is recorded of environments' machines on this computer, as after its restart. Makes nothing. What does not come
 * up keeps nothing else from being started. Throws PartialError naming machines that do not run.
 */
export async function startMachines(context: Context, { only }: StartMachinesRequest): Promise<StartMachinesResult> {
  const { project } = context;
  const environments = only === undefined ? project.environments : [environmentNamed(project, only)];
  const started: StartedMachine[] = [];
  const failures: string[] = [];
  for (const { name } of environments) {
    try {
      started.push(...(await context.machines.start(name)));
    } catch (error) {
      if (!(error instanceof LockageError) || only !== undefined || context.signal.aborted) throw error;
      failures.push(`${name}: ${messageOf(error)}`, ...detailsOf(error));
    }
  }
  const silent = started.filter(({ runs }) => !runs);
  if (silent.length + failures.length === 0) return { machines: started };
  throw new PartialError(failures.length > 0 ? 'not all machines run' : whatIs(silent, started), {
    details: [...silent.flatMap(linesOf), ...failures],
    hint: silent.some(({ problem }) => problem === undefined)
      ? 'Promote the serving version again: it makes them.'
      : 'See to what is said of them, then run the same command again.',
  });
}

function whatIs(silent: readonly StartedMachine[], all: readonly StartedMachine[]): string {
  const areGone = silent.every(({ problem }) => problem === undefined);
  return `${silent.length} of ${all.length} machines ${areGone ? 'are gone' : 'do not run'}`;
}

function linesOf({ environment, host, problem = ['is gone'] }: StartedMachine): string[] {
  const [first = '', ...others] = problem;
  return [`${environment}: ${host}: ${first}`, ...others];
}
