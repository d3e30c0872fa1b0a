import { LockageError } from '../../../pipelines/errors.ts';
import type { Swarm } from '../../../pipelines/model/target.ts';
import type { Connections } from '../../docker/connections.ts';
import type { ExecTarget } from '../runtime.ts';

/**
 * Returns a running container of a service on a manager, the only nodes whose engines are reached from here: an engine
 * gives access to its own containers only. Throws LockageError when there is none.
 */
export async function reachableContainer(connections: Connections, swarm: Swarm, service: string): Promise<ExecTarget> {
  const engine = await connections.engine(swarm);
  const found = await engine.inspectService(service);
  const tasks = (await engine.listTasks()).filter(
    ({ ServiceID, DesiredState, Status }) =>
      ServiceID === found?.ID && DesiredState === 'running' && Status.State === 'running',
  );
  for (const connected of await connections.connectAll(swarm.managers)) {
    if ('error' in connected) continue;
    const { NodeID } = (await connected.engine.info()).Swarm ?? {};
    const task = tasks.find((each) => each.NodeID === NodeID);
    const container = task?.Status.ContainerStatus?.ContainerID;
    if (container !== undefined) return { engine: connected.engine, container };
  }
  throw new LockageError(
    `${service} has no container on a manager of the swarm, and others cannot be reached from here`,
    {
      hint: `\`docker service ps ${service}\` on a manager says on which nodes it runs.`,
    },
  );
}
