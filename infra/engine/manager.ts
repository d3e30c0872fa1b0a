import type { Host } from '../../pipelines/environment.ts';
import { LockageError } from '../../pipelines/errors.ts';
import type { Engine } from './client.ts';

/** Milliseconds in which a manager has to say that its swarm can decide. */
const patience = 5000;

/** The engine of whichever manager of a swarm answers first. Throws LockageError with what each said when none can decide. */
export async function anyManager(swarm: Host, engineOf: (manager: Host) => Promise<Engine>): Promise<Engine> {
  const asked = (swarm.managers ?? []).map(async (manager) => {
    const engine = await engineOf(manager);
    const problem = await managerProblem(engine);
    if (problem !== undefined) throw new Error(`${manager.name}: ${problem}`);
    return engine;
  });
  try {
    return await Promise.any(asked);
  } catch (error) {
    const reasons = error instanceof AggregateError ? error.errors : [error];
    throw new LockageError('no manager of the swarm can decide', {
      details: reasons.map((reason: unknown) => (reason instanceof Error ? reason.message : String(reason))),
      hint: 'A swarm decides while more than half of its managers see each other: `docker node ls` on one of them.',
    });
  }
}

/** Why an engine cannot speak for a swarm now, or undefined. */
export async function managerProblem(engine: Engine): Promise<string | undefined> {
  const { Swarm: node } = await engine.info({ deadline: patience });
  if (node === undefined || node.LocalNodeState !== 'active') return 'is not in a swarm: `docker swarm join` there';
  if (node.Error !== '') return node.Error.replace(/^rpc error: code = \w+ desc = /, '');
  return node.ControlAvailable ? undefined : 'is a worker of its swarm, not a manager';
}
