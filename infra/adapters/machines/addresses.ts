/** Which of an environment's machines serve, and where they are reached. */
import type { Environment } from '../../../pipelines/model/environment.ts';
import { generationNow, inGeneration, isOf, type Generation } from '../../../pipelines/model/machine-pool.ts';
import { hostOf } from '../../machines/machine.ts';
import type { MachineInputs } from '../../resources/inputs.ts';
import type { RecordsAdapter } from '../records.ts';
import type { Session } from '../../context/session.ts';

interface Dependencies {
  readonly session: Session;
  readonly records: RecordsAdapter;
}

/** The environment with the machines that serve, or those of the generation that is told, where they are reached. */
export async function located(
  dependencies: Dependencies,
  environment: Environment,
  taken?: Generation,
): Promise<Environment> {
  const { machines: set, name } = environment;
  if (!set) return environment;
  const recorded = (await dependencies.records.machines(name))?.machines ?? [];
  const generation = taken ?? (await generationOf(dependencies, name, recorded));
  const own = recorded.filter(({ host }) => isOf(generation, name, host));
  const places = new Map(own.map((machine) => [machine.host, hostOf(dependencies.session.machines, machine)]));
  const named = inGeneration(environment, generation);
  const [image] = own.map((machine) => machine.image);
  return {
    ...named,
    machines: { ...set, ...(image === undefined ? {} : { image }) },
    hosts: named.hosts.map((host) => places.get(host.name) ?? host),
  };
}

/** The generation that serves; where nothing does, that of the machines that were made. */
export async function generationOf(
  { records }: Pick<Dependencies, 'records'>,
  environment: string,
  made: readonly MachineInputs[],
): Promise<Generation> {
  const { ledger } = await records.environment(environment);
  const hosts = made.map(({ host }) => host);
  return generationNow(environment, ledger, hosts);
}
