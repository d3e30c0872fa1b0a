/** The addresses of an environment's machines, and which of them serve. */
import type { Environment } from '../../../pipelines/model/environment.ts';
import { currentPool, inPool, isInPool, type MachinePool } from '../../../pipelines/model/machine-pool.ts';
import { hostOf } from '../../machines/machine.ts';
import type { MachineInputs } from '../../resources/inputs.ts';
import type { Dependencies } from './dependencies.ts';

/** Returns the environment with the addresses of its machines: those that serve, or those of the given pool. */
export async function withAddresses(
  dependencies: Dependencies,
  environment: Environment,
  taken?: MachinePool,
): Promise<Environment> {
  const { machines: set, name } = environment;
  if (!set) return environment;
  const recorded = (await dependencies.records.machines(name))?.machines ?? [];
  const pool = taken ?? (await poolOf(dependencies, name, recorded));
  const own = recorded.filter(({ host }) => isInPool(pool, name, host));
  const places = new Map(own.map((machine) => [machine.host, hostOf(dependencies.session.machines, machine)]));
  const named = inPool(environment, pool);
  const [image] = own.map((machine) => machine.image);
  return {
    ...named,
    machines: { ...set, ...(image === undefined ? {} : { image }) },
    hosts: named.hosts.map((host) => places.get(host.name) ?? host),
  };
}

/** Returns the pool that serves; where nothing serves, the pool of the machines that were made. */
export async function poolOf(
  { records }: Pick<Dependencies, 'records'>,
  environment: string,
  made: readonly MachineInputs[],
): Promise<MachinePool> {
  const { ledger } = await records.environment(environment);
  const hosts = made.map(({ host }) => host);
  return currentPool(environment, ledger, hosts);
}
