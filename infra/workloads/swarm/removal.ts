import { setTimeout as sleep } from 'node:timers/promises';
import { LockageError } from '../../../pipelines/errors.ts';
import type { Engine } from '../../docker/api/client.ts';
import type { ServiceDetails, SwarmNode } from '../../docker/api/types.ts';

/** Milliseconds that nodes get, beyond a service's own grace, to report that its containers are gone. */
const margin = 15_000;

/** The states of a task of which nothing runs any more. */
export const over: ReadonlySet<string> = new Set(['complete', 'failed', 'rejected', 'orphaned', 'shutdown', 'remove']);

/** Removes a service and waits until its containers are gone from all nodes that are up. */
export async function removeService(engine: Engine, service: ServiceDetails, graceMs: number): Promise<void> {
  await engine.removeService(service.ID);
  await waitForEnd(engine, service.ID, graceMs);
}

/** Removes the secrets with these labels that no service uses; returns the names of those that stay. */
export async function removeUnusedSecrets(engine: Engine, labels: Readonly<Record<string, string>>): Promise<string[]> {
  const names = await engine.listSecrets(labels);
  const gone = await Promise.all(names.map((name) => engine.removeSecret(name)));
  return names.filter((_, index) => !gone[index]);
}

/** Returns a service's specification without any container. */
export function restingSpec(spec: ServiceDetails['Spec']): ServiceDetails['Spec'] {
  return { ...spec, Mode: { Replicated: { Replicas: 0 } } };
}

/** Waits until a service that rests has no container any more. Throws LockageError when it has after its time. */
export async function endedOn(engine: Engine, { ID, Spec }: ServiceDetails, graceMs: number): Promise<void> {
  if (await waitForEnd(engine, ID, graceMs)) return;
  throw new LockageError(`${Spec.Name} was stopped, and its containers have not ended`, {
    hint: `\`docker service ps ${Spec.Name}\` shows on which node; then run the same command again.`,
  });
}

/**
 * Waits until no container of a service runs any more, and returns whether that is so. A node that is down ends its own when
 * it comes back.
 */
export async function waitForEnd(engine: Engine, service: string, graceMs: number): Promise<boolean> {
  for (const end = performance.now() + graceMs + margin; performance.now() < end;) {
    const [tasks, nodes] = await Promise.all([engine.listTasks(), engine.listNodes()]);
    const up = new Set(nodes.filter((node) => !isDown(node)).map(({ ID }) => ID));
    const left = tasks.filter(
      ({ ServiceID, NodeID = '', Status }) => ServiceID === service && up.has(NodeID) && !over.has(Status.State),
    );
    if (left.length === 0) return true;
    await sleep(200);
  }
  return false;
}

/**
 * Returns whether a swarm has lost a node. A manager that has just become leader has not heard from any yet: they are
 * `unknown`.
 */
export function isDown({ Status }: Pick<SwarmNode, 'Status'>): boolean {
  return Status.State === 'down' || Status.State === 'disconnected';
}
