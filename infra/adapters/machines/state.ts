import type { Environment } from '../../../pipelines/model/environment.ts';
import { machineState, type MachineState } from '../../machines/machine.ts';
import type { MachineInputs } from '../../resources/inputs.ts';
import type { MachinesRecord } from '../records.ts';
import type { Dependencies } from './dependencies.ts';
import { refuseElsewhere } from './here.ts';
import { settingsOf } from './inputs.ts';
import { backendsOf, loadBalancerNotes, loadBalancerOf, refuseForeignAddress } from './load-balancer.ts';
import { differing, refuseOtherwise, refuseWithoutRoot } from './refusals.ts';

/**
 * Returns whether an image, with today's configuration, needs other machines than those that serve. Throws
 * LockageError.
 */
export async function needsReplacement(
  dependencies: Dependencies,
  environment: Environment,
  image: string,
): Promise<boolean> {
  const { project, records } = dependencies;
  refuseWithoutRoot();
  const recorded = await records.machines(environment.name);
  await refuseElsewhere(dependencies, environment.name, recorded);
  const own = configuredMachines(environment, recorded);
  if (!environment.machines || own.length < environment.hosts.length) return true;
  const settings = { ...settingsOf(project, environment.machines), image };
  return own.some((machine) => differing(machine, settings).length > 0);
}

/**
 * Returns what has to be done before an environment's machines can be used, for people to read. Throws LockageError
 * when they differ from their configuration, or are on another computer.
 */
export async function pendingChanges(dependencies: Dependencies, environment: Environment): Promise<readonly string[]> {
  const { machines } = environment;
  if (!machines) return [];
  const recorded = await dependencies.records.machines(environment.name);
  const own = configuredMachines(environment, recorded);
  await refuseElsewhere(dependencies, environment.name, recorded);
  refuseForeignAddress(machines.address);
  const settings = settingsOf(dependencies.project, machines);
  for (const machine of own) refuseOtherwise(environment.name, machine, settings);
  const states = await statesOf(dependencies, own);
  const missing = environment.hosts.filter(({ name }) => !own.some(({ host }) => host === name));
  return [
    ...note([...missing.map(({ name }) => name), ...inState(own, states, 'absent')], 'made'),
    ...note(inState(own, states, 'stopped'), 'started'),
    ...(own.length > 0 ? await loadBalancerChanges(dependencies, environment, recorded) : []),
  ];
}

async function loadBalancerChanges(
  { records, session }: Dependencies,
  environment: Environment,
  recorded: MachinesRecord | undefined,
): Promise<readonly string[]> {
  if (!recorded?.network) return [];
  const record = await records.environment(environment.name);
  const place = { environment: environment.name };
  const wanted = loadBalancerOf(environment, recorded.network, record);
  return loadBalancerNotes(session.machines, place, wanted, backendsOf(environment, record));
}

/** Returns the names of the hosts whose machines exist, running or not. */
export async function standingHosts(dependencies: Dependencies, machines: readonly MachineInputs[]): Promise<string[]> {
  const states = await statesOf(dependencies, machines);
  return machines.filter((_, index) => states[index] !== 'absent').map(({ host }) => host);
}

function configuredMachines(environment: Environment, recorded: MachinesRecord | undefined): MachineInputs[] {
  if (!environment.machines) return [];
  return (recorded?.machines ?? []).filter(({ host }) => environment.hosts.some(({ name }) => name === host));
}

function statesOf({ session }: Dependencies, machines: readonly MachineInputs[]): Promise<MachineState[]> {
  return Promise.all(machines.map((machine) => machineState(session.machines, machine)));
}

function inState(machines: readonly MachineInputs[], states: readonly MachineState[], wanted: MachineState): string[] {
  return machines.filter((_, index) => states[index] === wanted).map(({ host }) => host);
}

function note(hosts: readonly string[], what: string): string[] {
  if (hosts.length === 0) return [];
  const many = hosts.length === 1 ? '1 machine is' : `${hosts.length} machines are`;
  return [`${many} ${what} first: ${hosts.join(', ')}`];
}
