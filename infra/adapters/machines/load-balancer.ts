/** The load balancer of an environment's machines: its address, and the machines it points at. */
import { networkInterfaces } from 'node:os';
import { LockageError } from '../../../pipelines/errors.ts';
import type { LoadBalancerView } from '../../../pipelines/inspection/observation.ts';
import { withoutCordoned } from '../../../pipelines/model/cordons.ts';
import type { PlacedContainer } from '../../../pipelines/model/desired-state.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import { currentRevision, existingContainers, type EnvironmentRecord } from '../../../pipelines/model/ledger.ts';
import { own } from '../../../pipelines/model/own.ts';
import { silenceText } from '../../edge/edge.ts';
import { openPorts, publishedPorts } from '../../edge/published-ports.ts';
import { allVisits } from '../../edge/visits.ts';
import { loadBalancerFolder, loadBalancerState } from '../../machines/load-balancer/load-balancer.ts';
import { visitLoadBalancer } from '../../machines/load-balancer/visit.ts';
import type { LoadBalancerInputs, MachineNetworkInputs, Backend } from '../../resources/inputs.ts';
import type { MachineFolders } from '../../system/state-folders.ts';

/** Returns the load balancer as it has to be for what serves, and for what is to serve; undefined where nothing has traffic. */
export function loadBalancerOf(
  environment: Environment,
  network: MachineNetworkInputs,
  { containers }: Pick<EnvironmentRecord, 'containers'>,
): LoadBalancerInputs | undefined {
  const published = [...environment.roles, ...containers.map(({ spec }) => spec)].flatMap(({ route }) =>
    route ? [route.publish] : [],
  );
  const ports = [...new Set(published)].sort((a, b) => a - b);
  if (ports.length === 0) return undefined;
  const address = environment.machines?.address ?? `${network.subnet}.1`;
  const trusted = environment.edge?.trustedProxies;
  return { app: network.app, environment: environment.name, address, ports, ...(trusted ? { trusted } : {}) };
}

/** Returns the machines of an environment that are in service: one that only keeps what served there answers nobody. */
export function backendsOf(environment: Environment, record: EnvironmentRecord): Backend[] {
  const { ledger, containers } = record;
  const active = withoutCordoned(environment, ledger);
  const open = openPorts(active, containers);
  const current = currentRevision(ledger);
  const serving = new Set((current ? existingContainers(record, current) : containers).map(({ host }) => host.name));
  return active.hosts
    .filter((host) => serving.has(host.name) || publishedPorts(active, host).length > 0)
    .map((host) => ({ name: host.name, address: host.address, ports: own(open, host.name) ?? [] }))
    .filter(({ ports }) => ports.length > 0);
}

/** Throws LockageError when a configured address does not belong to this computer. */
export function refuseForeignAddress(address: string | undefined): void {
  const here = Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map((each) => each.address));
  if (address === undefined || here.includes(address)) return;
  throw new LockageError(`${address} is no address of this computer`, {
    hint: 'Give it to a network device first, or leave `address` out of `targets`: the environment takes one of its own.',
  });
}

/** Returns what has to be done for the load balancer before a promotion, for people to read. */
export async function loadBalancerNotes(
  folders: MachineFolders,
  place: { readonly environment: string },
  wanted: LoadBalancerInputs | undefined,
  servers: readonly Backend[],
): Promise<string[]> {
  const { state, address, ports, servers: now } = await loadBalancerState(loadBalancerFolder(folders, place));
  if (!wanted) return state === 'absent' ? [] : [`the load balancer ${address} is removed first`];
  const leaving = now.map(({ name }) => name).filter((name) => !servers.some((server) => server.name === name));
  if (state === 'absent') return [`the load balancer ${wanted.address} is made first`];
  if (state === 'stopped') return [`the load balancer ${wanted.address} is started first`];
  if (address !== wanted.address || ports.join() !== wanted.ports.join()) {
    return [`the load balancer becomes ${urlsOf(wanted).join(', ')} first`];
  }
  return leaving.length === 0 ? [] : [`the load balancer sends nothing more to ${leaving.join(', ')} first`];
}

/** Returns the load balancer's current state for `status`, and what it answers visitors of what serves. */
export async function loadBalancerView(
  folders: MachineFolders,
  loadBalancer: LoadBalancerInputs,
  serving: readonly PlacedContainer[],
): Promise<LoadBalancerView> {
  const { address } = loadBalancer;
  const { state, servers } = await loadBalancerState(loadBalancerFolder(folders, loadBalancer));
  const silent = state === 'running' ? await visitLoadBalancer(address, allVisits(serving)) : [];
  const view = { address, urls: urlsOf(loadBalancer), state, servers };
  return silent.length > 0 ? { ...view, silent: silent.map(silenceText) } : view;
}

function urlsOf({ address, ports }: LoadBalancerInputs): string[] {
  return ports.map((port) => `http://${address}${port === 80 ? '' : `:${port}`}`);
}
