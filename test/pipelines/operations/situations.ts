import type { Environment } from '../../../pipelines/model/environment.ts';
import type { OperationName, RequestOf } from '../../../pipelines/operations/perform.ts';
import { environment, host, release, role } from '../model/values.ts';
import { MemoryWorld } from './memory-world.ts';

const names = ['prod-1', 'prod-2'];
const { route: _, ...withoutRoute } = role({ name: 'worker', hosts: names });
const roles = [role({ hosts: names }), withoutRoute];

/** web and worker on two hosts, each with the release before as its standby. */
export const onHosts = (changes: Partial<Environment> = {}): Environment =>
  environment({ hosts: names.map(host), roles, ...changes });

/** The same on machines that the environment makes for itself. */
export const onMachines = (): Environment => ({
  ...onHosts({ machines: { kind: 'lxc', count: 2, memory: 1, cpus: 1 } }),
  hosts: names.map((name) => ({ kind: 'pending', name, address: name })),
});

/** The same as services of a swarm. */
export const onSwarm = (): Environment =>
  onHosts({
    orchestrator: { kind: 'swarm', name: 'swarm', managers: names.map(host) },
    roles: [role({ hosts: ['swarm'], count: 2 }), { ...withoutRoute, hosts: ['swarm'] }],
  });

/** A world with three releases and two images of machines, where these releases came into prod one after the other. */
export async function worldOf(prod: Environment, ...versions: readonly string[]): Promise<MemoryWorld> {
  const world = new MemoryWorld([prod]);
  world.releases = ['1.0.0', '2.0.0', '3.0.0'].map((version) => release(version));
  const image = { kind: 'lxc', builder: 'anna@desk', createdAt: '2026-01-01T00:00:00.000Z' } as const;
  world.images = [
    { ...image, version: '1.0.0', digest: 'sha256:first' },
    { ...image, version: '1.1.0', digest: 'sha256:second' },
  ];
  for (const version of versions) await world.perform('promote', { version, environment: 'prod' });
  return world;
}

/** Who answers and who works where a version serves on all of these hosts. */
export const everywhere = (version: string, hosts: readonly string[] = names): string[] =>
  hosts.flatMap((name) => [`${name} web ${version}`, `${name} worker ${version}`]);

/** What is thrown by an operation; what it returns is no error. */
export async function errorOf<Name extends OperationName>(
  world: MemoryWorld,
  name: Name,
  request: RequestOf<Name>,
): Promise<Error | undefined> {
  try {
    await world.perform(name, request);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** An operation in a situation, whatever its name. */
export interface Deed {
  readonly prepare: () => Promise<MemoryWorld>;
  readonly perform: (world: MemoryWorld) => Promise<Error | undefined>;
}

/** An operation after these releases came in, and after what else came before it. */
export function deed<Name extends OperationName>(
  [prod, ...versions]: readonly [Environment, ...string[]],
  name: Name,
  request: RequestOf<Name>,
  before: (world: MemoryWorld) => unknown = () => undefined,
): Deed {
  const prepare = async () => {
    const world = await worldOf(prod, ...versions);
    await before(world);
    return world;
  };
  return { prepare, perform: (world) => errorOf(world, name, request) };
}
