import { LockageError, messageOf } from '../../pipelines/errors.ts';
import type { Host, Swarm } from '../../pipelines/model/target.ts';
import type { Engine } from './api/client.ts';
import { EngineError } from './api/errors.ts';
import type { EngineInfo } from './api/types.ts';

/** Milliseconds in which a manager must say whether its swarm can decide. */
const answerTimeout = 10_000;

/**
 * Returns the engine of the first manager of a swarm to answer. Throws LockageError with each one's answer when none
 * can decide.
 */
export async function anyManager(swarm: Swarm, engineOf: (manager: Host) => Promise<Engine>): Promise<Engine> {
  const asked = swarm.managers.map(async (manager) => {
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
      details: reasons.map((reason: unknown) => messageOf(reason)),
      hint: 'A swarm decides while more than half of its managers see each other: `docker node ls` on one of them.',
    });
  }
}

/** Returns why an engine cannot speak for a swarm now, or undefined. */
export async function managerProblem(engine: Engine): Promise<string | undefined> {
  const info = await infoOf(engine);
  if (info === undefined)
    return `its swarm does not answer within ${answerTimeout / 1000} s: it may have lost its leader`;
  const { Swarm: node } = info;
  if (node === undefined || node.LocalNodeState === 'inactive') return 'is not in a swarm: `docker swarm join` there';
  // Docker's wording depends on how long there has been no leader.
  if (/does not have a leader|deadline exceeded/.test(node.Error)) {
    return 'its swarm has no leader: more than half of its managers have to see each other';
  }
  if (node.Error !== '') return node.Error.replace(/^rpc error: code = \w+ desc = /, '');
  if (node.LocalNodeState !== 'active') return `has not found its swarm again (${node.LocalNodeState})`;
  return node.ControlAvailable ? undefined : 'is a worker of its swarm, not a manager';
}

/**
 * Returns an engine's facts; undefined when it answers but cannot tell them, as a manager has to ask its leader for
 * them.
 */
async function infoOf(engine: Engine): Promise<EngineInfo | undefined> {
  try {
    return await engine.info({ deadline: answerTimeout });
  } catch (error) {
    if (!(error instanceof EngineError) || !error.reason.startsWith('no answer')) throw error;
    await engine.ping({ deadline: answerTimeout });
    return undefined;
  }
}
