import { PartialError } from '../errors.ts';
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
 * Starts what is recorded of environments' machines on this computer, as after its restart. Makes nothing. Throws
 * PartialError naming machines that are gone.
 */
export async function startMachines(
  { project, machines }: Context,
  { only }: StartMachinesRequest,
): Promise<StartMachinesResult> {
  const environments = only === undefined ? project.environments : [environmentNamed(project, only)];
  const started: StartedMachine[] = [];
  for (const { name } of environments) started.push(...(await machines.start(name)));
  const gone = started.filter(({ runs }) => !runs);
  if (gone.length === 0) return { machines: started };
  throw new PartialError(`${gone.length} of ${started.length} machines are gone`, {
    details: gone.map(({ environment, host }) => `${environment}: ${host}`),
    hint: 'Promote the serving version again: it makes them.',
  });
}
