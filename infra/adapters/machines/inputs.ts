/** The inputs of an environment's machines, from its configuration and its image. */
import type { Environment, Project } from '../../../pipelines/model/environment.ts';
import { isInPool, numberOf, type MachinePool } from '../../../pipelines/model/machine-pool.ts';
import type { EnvironmentHost, MachineSet } from '../../../pipelines/model/target.ts';
import { shownContents } from '../../machines/image/contents.ts';
import { hostKey } from '../../machines/keys.ts';
import { imageFor } from '../../machines/machine.ts';
import type { MachineInputs, MachineNetworkInputs } from '../../resources/inputs.ts';
import type { Dependencies } from './dependencies.ts';

/** The number of an address in the network that precedes the first machine of a pool. */
const addressBase: Readonly<Record<MachinePool, number>> = { blue: 10, green: 110 };

/** Returns the configured settings that all the machines share. */
export function settingsOf({ insecureRegistries }: Project, { kind, memory, cpus, disk }: MachineSet) {
  return { kind, memory, cpus, ...(disk === undefined ? {} : { disk }), insecureRegistries };
}

/** The machines of an environment, as they are wanted. */
export interface MachineWish {
  readonly environment: Environment;
  readonly set: MachineSet;
  readonly network: MachineNetworkInputs;
  /** digest of their image: `sha256:…` */
  readonly image: string;
}

/** Returns the inputs of each machine, made from an image by its digest, on the environment's network. */
export async function machineInputs(
  { project, session }: Pick<Dependencies, 'project' | 'session'>,
  { environment, set, network, image }: MachineWish,
): Promise<MachineInputs[]> {
  // A missing image matters only to machines that must be made or started from it.
  const contents = await imageFor(session.machines, set.kind, image).then(
    (found) => found.contents,
    () => undefined,
  );
  if (contents) session.progress({ host: environment.name, step: 'image', detail: shownContents(contents) });
  const input = async ({ name: host }: EnvironmentHost): Promise<MachineInputs> => ({
    ...network,
    ...settingsOf(project, set),
    host,
    name: `${network.app}-${environment.name}-machine-${host.slice(environment.name.length + 1)}`,
    image,
    address: addressOf(network, environment.name, host),
    hostKey: (await hostKey(session.machines.keys, environment.name, host)).fingerprint,
  });
  return Promise.all(environment.hosts.map(input));
}

function addressOf({ subnet }: MachineNetworkInputs, environment: string, host: string): string {
  const pool = isInPool('blue', environment, host) ? 'blue' : 'green';
  return `${subnet}.${addressBase[pool] + numberOf(environment, host)}`;
}
