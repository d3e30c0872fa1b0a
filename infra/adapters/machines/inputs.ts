/** What an environment's machines are to be, as its configuration and its image say. */
import type { Environment, Project } from '../../../pipelines/model/environment.ts';
import { isInPool, numberOf, type MachinePool } from '../../../pipelines/model/machine-pool.ts';
import { shownContents } from '../../machines/image/contents.ts';
import { hostKey } from '../../machines/keys.ts';
import { imageFor } from '../../machines/machine.ts';
import type { MachineInputs, MachineNetworkInputs } from '../../resources/inputs.ts';
import type { Session } from '../../context/session.ts';
import type { EnvironmentHost, MachineSet } from '../../../pipelines/model/target.ts';

interface Dependencies {
  readonly project: Project;
  readonly session: Session;
}

/** The last number of an address in the network, before the first machine of a generation. */
const addressBase: Readonly<Record<MachinePool, number>> = { a: 10, b: 110 };

/** What is configured of each of the machines. */
export function settingsOf({ insecureRegistries }: Project, { kind, memory, cpus, disk }: MachineSet) {
  return { kind, memory, cpus, ...(disk === undefined ? {} : { disk }), insecureRegistries };
}

/** Each of the machines, of an image by its digest, on the environment's network. */
export async function machineInputs(
  { project, session }: Dependencies,
  environment: Environment,
  set: MachineSet,
  network: MachineNetworkInputs,
  image: string,
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
  const pool = isInPool('a', environment, host) ? 'a' : 'b';
  return `${subnet}.${addressBase[pool] + numberOf(environment, host)}`;
}
