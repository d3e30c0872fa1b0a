import { LockageError, messageOf } from '../../pipelines/errors.ts';
import { environmentNames } from '../../pipelines/model/names.ts';
import { partKey } from '../context/provider-context.ts';
import type { ContainerDetails, Engine } from '../docker/api/client.ts';
import { labels, ownerLabels, passingParts } from '../docker/labels.ts';
import type { EdgeInputs } from '../resources/inputs.ts';
import { edgeHardening, edgeProcess, untilEdgeAnswers } from '../workloads/foundation/edge-container.ts';
import { removeOwn } from '../workloads/own-container.ts';
import { namesBeside } from '../workloads/foundation/standing-container.ts';

/**
 * Starts a new edge beside the one that serves, until it answers inside, and removes it. Nothing else changes, and nothing is
 * tried where the edge is what it has to be. Throws LockageError when its image does not start or does not answer, or when
 * something on the host listens on a new port: only to bind a port tells whether any process has it.
 */
export async function tryEdge(
  engine: Engine,
  edge: EdgeInputs,
  replaced: ReadonlySet<string> = new Set(),
): Promise<void> {
  const { edge: name } = environmentNames(edge.app, edge.environment);
  const { trial, aside } = namesBeside(name);
  const [now, before] = await Promise.all([name, aside].map((each) => engine.inspectContainer(each)));
  await removeOwn(engine, edge, trial);
  const stays = now?.State.Running && now.Config.Labels[labels.spec] === edge.spec;
  if (stays && !replaced.has(partKey(edge.host, name))) return;
  const ports = newPorts(edge, [now, before]);
  try {
    await engine.createContainer(trial, bodyOf(edge, ports));
    await engine.startContainer(trial).catch((error: unknown) => {
      throw takenPort(edge.host.name, ports, error) ?? error;
    });
    await untilEdgeAnswers(engine, trial);
  } finally {
    await removeOwn(engine, edge, trial).catch(() => undefined);
  }
}

/** Returns the ports that the edge of now does not publish, whatever a killed command called it: they have to be free. */
function newPorts({ ports }: EdgeInputs, edges: readonly (ContainerDetails | undefined)[]): number[] {
  const running = edges.filter((edge) => edge?.State.Running);
  const published = running.flatMap((edge) => Object.keys(edge?.HostConfig.PortBindings ?? {}));
  return ports.filter((port) => !published.includes(`${port}/tcp`));
}

function bodyOf(edge: EdgeInputs, ports: readonly number[]) {
  return {
    Image: edge.image,
    ...edgeProcess(edge),
    Labels: ownerLabels(edge.app, edge.environment, passingParts.trial),
    ExposedPorts: Object.fromEntries(ports.map((port) => [`${port}/tcp`, {}])),
    HostConfig: {
      ...edgeHardening(edge),
      PortBindings: Object.fromEntries(ports.map((port) => [`${port}/tcp`, [{ HostPort: String(port) }]])),
      Tmpfs: { '/live': 'rw,size=16m', '/tmp': 'rw,size=16m' },
    },
  };
}

function takenPort(host: string, ports: readonly number[], error: unknown): LockageError | undefined {
  const text = messageOf(error);
  if (!/address already in use|port is already allocated|failed to bind/.test(text)) return undefined;
  const port = ports.find((each) => new RegExp(`\\b${each}\\b`).test(text)) ?? ports.join(' or ');
  return new LockageError(`${host}: port ${port} is taken by another program`, {
    hint: `See who listens with \`ss -ltnp\` on ${host}; stop it, or give the role another \`publish\` port.`,
    cause: error,
  });
}
