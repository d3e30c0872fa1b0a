/** What an environment's machines are to be, as its configuration and its image say. */
import type { Environment, Project } from '../../../pipelines/model/environment.ts';
import { isInPool, numberOf, type MachinePool } from '../../../pipelines/model/machine-pool.ts';
import { shownContents } from '../../machines/image/contents.ts';
import { hostKey } from '../../machines/keys.ts';
import { imageFor } from '../../machines/machine.ts';
import type { MachineInputs, MachineNetworkInputs } from '../../resources/inputs.ts';
import type { Dependencies } from './dependencies.ts';
import type { EnvironmentHost, MachineSet } from '../../../pipelines/model/target.ts';

/** The last number of an address in the network, before the first machine of a pool. */
const addressBase: Readonly<Record<MachinePool, number>> = { blue: 10, green: 110 };

/** What is configured of each of the machines. */
export function settingsOf({ insecureRegistries }: Project, { kind, memory, cpus, disk }: MachineSet) {
  return { kind, memory, cpus, ...(disk === undefined ? {} : { disk }), insecureRegistries };
}

/** The machines of an environment, as they are to be made. */
export interface MachineWish {
  readonly environment: Environment;
  readonly set: MachineSet;
  readonly network: MachineNetworkInputs;
  /** `sha256:…` of what they are made from */
  readonly image: string;
}

/** Each of the machines, of an image by its digest, on the environment's network. */
export async function machineInputs(
  { project, session }: Pick<Dependencies, 'project' | 'session'>,
  { environment, set, network, image }: MachineWish,
): Promise<MachineInputs[]> {
  // One that is gone hinders only machines that have to be made or started from it.
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
