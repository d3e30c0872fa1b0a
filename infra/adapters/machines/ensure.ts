import type { Environment } from '../../../pipelines/model/environment.ts';
import { currentRevision } from '../../../pipelines/model/ledger.ts';
import { inPool, otherPool, type MachinePool } from '../../../pipelines/model/machine-pool.ts';
import type { MachineSet } from '../../../pipelines/model/target.ts';
import { machinesBefore } from '../../../pipelines/policy/machine-image-gates.ts';
import { providerContext } from '../../context/session.ts';
import { ensureBridge, subnetOf } from '../../machines/bridge.ts';
import {
  ensureLoadBalancer,
  loadBalancerFolder,
  loadBalancerState,
  setBackends,
} from '../../machines/load-balancer/load-balancer.ts';
import { ensureMachine, madeFrom } from '../../machines/machine.ts';
import { freeSubnet } from '../../machines/network.ts';
import type { LoadBalancerInputs, MachineInputs, MachineNetworkInputs } from '../../resources/inputs.ts';
import type { MachinesRecord } from '../records.ts';
import { poolOf, withAddresses } from './addresses.ts';
import { bridgeOf, networkOf, type Dependencies } from './dependencies.ts';
import { deployMachines, forgetMachines } from './deploy.ts';
import { findOrBuildImage } from './images.ts';
import { machineInputs } from './inputs.ts';
import { backendsOf, loadBalancerOf } from './load-balancer.ts';
import { refuseElsewhere } from './here.ts';
import { hostKeysError } from './refusals.ts';
import { needsReplacement, standingHosts } from './state.ts';

/** An environment that makes its own machines. */
export type OwnMachines = Environment & { readonly machines: MachineSet };

/**
 * Makes and starts the missing machines of an environment, and its load balancer. Returns the environment with their
 * addresses: those of machines made from `image`, where these are not the machines that serve. Throws LockageError.
 */
export async function ensureMachines(
  dependencies: Dependencies,
  asked: OwnMachines,
  image?: string,
): Promise<Environment> {
  const { records, session } = dependencies;
  const { name } = asked;
  const recorded = await records.machines(name);
  await refuseElsewhere(dependencies, name, recorded);
  const before = recorded?.machines ?? [];
  const serving = await poolOf(dependencies, name, before);
  const takesOver = image !== undefined && (await needsReplacement(dependencies, asked, image));
  const pool = takesOver ? otherPool(serving) : serving;
  const network = recorded?.network ?? (await newNetwork(dependencies, name));
  session.progress({ host: name, step: 'image', detail: 'the root file system of its machines' });
  const standing = new Set(await standingHosts(dependencies, before));
  const loadBalancer = loadBalancerOf(asked, network, await records.environment(name));
  const machines = await wantedMachines(dependencies, { asked, pool, network, ...(image ? { image } : {}) });
  // A restart of the computer removes it, and new machines need it.
  if (recorded?.network) await ensureBridge(network);
  await removeLeftovers(dependencies, { name, recorded, machines, replaces: takesOver });
  const others = before.filter((machine) => !machines.some((each) => each.name === machine.name));
  const all = [...machines, ...others];
  await deployMachines(dependencies, name, { network, loadBalancer, before, machines: all, stoppable: true });
  await startAll(dependencies, network, machines);
  if (loadBalancer) await keepLoadBalancer(dependencies, { asked, serving, loadBalancer, standing });
  return withAddresses(dependencies, asked, pool);
}

/** The machines that are wanted. */
interface Wanted {
  readonly asked: OwnMachines;
  readonly pool: MachinePool;
  readonly network: MachineNetworkInputs;
  readonly image?: string;
}

async function wantedMachines(dependencies: Dependencies, { asked, pool, network, image }: Wanted) {
  const environment = inPool(asked, pool);
  const digest = image ?? asked.machines.image ?? (await firstImage(dependencies, asked));
  return machineInputs(dependencies, { environment, set: asked.machines, network, image: digest });
}

/**
 * Returns the image for the first machines: the one of the environment before, else the newest, else one of today's
 * packages.
 */
async function firstImage(dependencies: Dependencies, environment: OwnMachines): Promise<string> {
  for (const earlier of machinesBefore(dependencies.project, environment)) {
    const digest = (await withAddresses(dependencies, earlier)).machines?.image;
    if (digest !== undefined) return digest;
  }
  return findOrBuildImage(dependencies, environment.machines.kind);
}

/**
 * Starts all machines. Pulumi does nothing for what is recorded, so a machine that was stopped or lost is restored
 * here.
 */
async function startAll(
  { session }: Dependencies,
  network: MachineNetworkInputs,
  machines: readonly MachineInputs[],
): Promise<void> {
  const context = providerContext(session, true);
  await ensureBridge(network);
  await Promise.all(machines.map((machine) => ensureMachine(context, machine)));
}

/** The recorded machines, and the wanted machines that will have their names. */
interface Leftovers {
  readonly name: string;
  readonly recorded: MachinesRecord | undefined;
  readonly machines: readonly MachineInputs[];
  /** they take over from machines that serve */
  readonly replaces: boolean;
}

/** Removes machines that were made to take over but never did: other machines have their names now. */
async function removeLeftovers(
  dependencies: Dependencies,
  { name, recorded, machines, replaces }: Leftovers,
): Promise<void> {
  const left = (recorded?.machines ?? []).filter((machine) =>
    machines.some((each) => each.name === machine.name && madeFrom(each) !== madeFrom(machine)),
  );
  if (left.length === 0 || !recorded?.network) return;
  const { ledger } = await dependencies.records.environment(name);
  if (!replaces && currentRevision(ledger))
    throw hostKeysError(name, left, machines, dependencies.session.machines.keys);
  await forgetMachines(dependencies, name, left);
  const { network, loadBalancer } = recorded;
  const kept = recorded.machines.filter((machine) => !left.includes(machine));
  await deployMachines(dependencies, name, { network, loadBalancer, machines: kept, before: kept, stoppable: true });
}

/** An environment's load balancer, and the machines that serve behind it. */
interface Kept {
  readonly asked: Environment;
  readonly serving: MachinePool;
  readonly loadBalancer: LoadBalancerInputs;
  /** names of the hosts that were there before */
  readonly standing: ReadonlySet<string>;
}

/** Points the load balancer at the machines that serve: new machines wait until the release runs on them. */
async function keepLoadBalancer(dependencies: Dependencies, { asked, serving, loadBalancer, standing }: Kept) {
  const { machines: folders } = dependencies.session;
  const record = await dependencies.records.environment(asked.name);
  const all = backendsOf(await withAddresses(dependencies, asked, serving), record);
  const { servers } = await loadBalancerState(loadBalancerFolder(folders, loadBalancer));
  const known = all.filter(({ name }) => standing.has(name) && servers.some((server) => server.name === name));
  if (known.length === 0) return ensureLoadBalancer(folders, loadBalancer, all);
  await ensureLoadBalancer(folders, loadBalancer);
  // Machines that leave finish their requests before anything is removed from them.
  await setBackends(folders, loadBalancer, known);
}

async function newNetwork(dependencies: Dependencies, environment: string): Promise<MachineNetworkInputs> {
  // A killed run may have made a network that is not recorded.
  const subnet = (await subnetOf(bridgeOf(dependencies, environment))) ?? (await freeSubnet());
  return networkOf(dependencies, environment, subnet);
}
