import { providerContext } from '../../context/session.ts';
import { removeOwnBridge, subnetOf } from '../../machines/bridge.ts';
import { forgetKeys } from '../../machines/keys.ts';
import { loadBalancerFolder, removeLoadBalancer } from '../../machines/load-balancer/load-balancer.ts';
import { forgetLogs } from '../../machines/logs.ts';
import { hostOf, machinesHere, removeMachine } from '../../machines/machine.ts';
import { machinesStack } from '../../pulumi/stack-names.ts';
import type { MachineInputs } from '../../resources/inputs.ts';
import type { MachinesRecord } from '../records.ts';
import { bridgeOf, networkOf, type Dependencies } from './dependencies.ts';
import { refuseElsewhere } from './here.ts';
import { refuseWithoutRoot } from './refusals.ts';

/** Refuses to remove an environment's machines from another computer, or as another user than made them. Throws LockageError. */
export async function refuseRemoval(dependencies: Dependencies, environment: string): Promise<void> {
  const { project, records, session } = dependencies;
  const recorded = await records.machines(environment);
  await refuseElsewhere(dependencies, environment, recorded);
  const here = await machinesHere(session.machines, { app: project.app, environment });
  if (recorded || here.length > 0) refuseWithoutRoot();
}

/**
 * Removes all machines of an environment with all that is on them, and the kept logs of machines that did not come up.
 */
export async function removeForGood(dependencies: Dependencies, environment: string): Promise<void> {
  const { project, session } = dependencies;
  await removeEverything(dependencies, environment);
  await forgetLogs(session.machines, { app: project.app, environment });
}

/** Removes all machines of an environment, their load balancer, network, keys and record. Throws LockageError. */
export async function removeEverything(dependencies: Dependencies, environment: string): Promise<void> {
  const { project, records, session, stacks } = dependencies;
  const recorded = await records.machines(environment);
  await refuseElsewhere(dependencies, environment, recorded);
  for (const machine of recorded?.machines ?? []) await disconnect(dependencies, machine);
  if (recorded) await (await stacks()).destroy(machinesStack(environment), providerContext(session, false));
  const place = { app: project.app, environment };
  for (const name of await machinesHere(session.machines, place)) {
    await removeMachine(session.machines, { ...place, name });
  }
  await removeLoadBalancer(loadBalancerFolder(session.machines, { environment }));
  await removeBridge(dependencies, environment, recorded);
  await forgetKeys(session.machines.keys, environment);
}

async function removeBridge(
  dependencies: Dependencies,
  environment: string,
  recorded: MachinesRecord | undefined,
): Promise<void> {
  const subnet = (await subnetOf(bridgeOf(dependencies, environment))) ?? '';
  await removeOwnBridge(recorded?.network ?? networkOf(dependencies, environment, subnet));
}

/** Removes machines that a killed command left here: they run, but are not recorded. */
export async function removeUnrecorded(
  { project, session }: Dependencies,
  environment: string,
  { machines }: MachinesRecord,
): Promise<void> {
  const place = { app: project.app, environment };
  const here = await machinesHere(session.machines, place);
  const unknown = here.filter((name) => !machines.some((machine) => machine.name === name));
  await Promise.all(unknown.map((name) => removeMachine(session.machines, { ...place, name })));
}

/** Ends the ssh connection to a machine, which would outlive it. */
export async function disconnect({ session }: Dependencies, machine: MachineInputs): Promise<void> {
  await session.connections.link(hostOf(session.machines, machine)).disconnect();
}
