/** What the one address of an environment's machines is, and which of them it leads to. */
import { networkInterfaces } from 'node:os';
import type { Environment } from '../../../pipelines/model/environment.ts';
import { LockageError } from '../../../pipelines/errors.ts';
import { withoutCordoned } from '../../../pipelines/model/cordons.ts';
import type { Ledger } from '../../../pipelines/model/revision.ts';
import { frontHome, frontState } from '../../machines/load-balancer/load-balancer.ts';
import { publicPorts } from '../../edge/published-ports.ts';
import type { FrontInputs, MachineNetworkInputs, FrontServer } from '../../resources/inputs.ts';
import type { MachinePlaces } from '../../system/state-folders.ts';
import type { FrontView } from '../../../pipelines/inspection/observation.ts';

/** The front as it is configured; undefined where no role has traffic. */
export function frontOf(environment: Environment, network: MachineNetworkInputs): FrontInputs | undefined {
  const published = environment.roles.flatMap(({ route }) => (route ? [route.publish] : []));
  const ports = [...new Set(published)].sort((a, b) => a - b);
  if (ports.length === 0) return undefined;
  const address = environment.machines?.address ?? `${network.subnet}.1`;
  return { app: network.app, environment: environment.name, address, ports };
}

/** Those of an environment's machines that are in service. */
export function serversOf(environment: Environment, ledger: Ledger): FrontServer[] {
  const inService = withoutCordoned(environment, ledger);
  return inService.hosts
    .map((host) => ({ name: host.name, address: host.address, ports: publicPorts(inService, host) }))
    .filter(({ ports }) => ports.length > 0);
}

/** Throws LockageError when an address that is configured is not of this computer. */
export function refuseForeignAddress(address: string | undefined): void {
  const own = Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map((each) => each.address));
  if (address === undefined || own.includes(address)) return;
  throw new LockageError(`${address} is no address of this computer`, {
    hint: 'Give it to a network device first, or leave `address` out of `targets`: the environment takes one of its own.',
  });
}

/** What has to be done for the front before a promotion, for people to read. */
export async function frontNotes(
  places: MachinePlaces,
  place: { readonly environment: string },
  wanted: FrontInputs | undefined,
  servers: readonly FrontServer[],
): Promise<string[]> {
  const { state, address, ports, servers: now } = await frontState(frontHome(places, place));
  if (!wanted) return state === 'absent' ? [] : [`the front ${address} is removed first`];
  const leaving = now.map(({ name }) => name).filter((name) => !servers.some((server) => server.name === name));
  if (state === 'absent') return [`the front ${wanted.address} is made first`];
  if (state === 'stopped') return [`the front ${wanted.address} is started first`];
  if (address !== wanted.address || ports.join() !== wanted.ports.join()) {
    return [`the front becomes ${urlsOf(wanted).join(', ')} first`];
  }
  return leaving.length === 0 ? [] : [`the front sends nothing more to ${leaving.join(', ')} first`];
}

/** The front as it is, for people who look. */
export async function frontView(places: MachinePlaces, front: FrontInputs): Promise<FrontView> {
  const { state, servers } = await frontState(frontHome(places, front));
  return { address: front.address, urls: urlsOf(front), state, servers };
}

function urlsOf({ address, ports }: FrontInputs): string[] {
  return ports.map((port) => `http://${address}${port === 80 ? '' : `:${port}`}`);
}
