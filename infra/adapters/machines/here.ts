import { hostname } from 'node:os';
import { LockageError } from '../../../pipelines/errors.ts';
import { machinesHere } from '../../machines/machine.ts';
import type { MachinesRecord } from '../records.ts';
import type { Dependencies } from './dependencies.ts';

/** The things that tell whether machines are on this computer. */
type Place = Pick<Dependencies, 'project' | 'session'>;

/**
 * Returns whether recorded machines are on this computer: it has the name that is recorded of it, or, where it was given another
 * one since, the machines themselves.
 */
export async function areHere(
  { project, session }: Place,
  environment: string,
  recorded: MachinesRecord,
): Promise<boolean> {
  const computer = recorded.network?.computer;
  if (computer === undefined || computer === hostname()) return true;
  const here = await machinesHere(session.machines, { app: project.app, environment });
  return recorded.machines.some(({ name }) => here.includes(name));
}

/** Refuses machines that are on another computer. Throws LockageError. */
export async function refuseElsewhere(
  place: Place,
  environment: string,
  recorded: MachinesRecord | undefined,
): Promise<void> {
  if (!recorded || (await areHere(place, environment, recorded))) return;
  const computer = recorded.network?.computer ?? '';
  throw new LockageError(`the machines of ${environment} are on ${computer}, and this is ${hostname()}`, {
    hint: `Run the command on ${computer}: machines are reached from there only.`,
  });
}
