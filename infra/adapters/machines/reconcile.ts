import type { Environment } from '../../../pipelines/model/environment.ts';
import { currentRevision } from '../../../pipelines/model/ledger.ts';
import type { Ledger } from '../../../pipelines/model/revision.ts';
import { setBackends } from '../../machines/load-balancer/load-balancer.ts';
import type { MachineInputs } from '../../resources/inputs.ts';
import { withAddresses } from './addresses.ts';
import type { Dependencies } from './dependencies.ts';
import { deployMachines, forgetMachines } from './deploy.ts';
import { backendsOf } from './load-balancer.ts';
import { refuseDataLoss } from './refusals.ts';
import { removeForGood, removeUnrecorded } from './remove.ts';

/**
 * Removes machines that neither serve nor are configured, with all that is recorded of them. The load balancer is
 * pointed at the others first. Throws LockageError.
 */
export async function reconcileMachines(dependencies: Dependencies, configured: Environment): Promise<void> {
  const { name } = configured;
  const { records } = dependencies;
  const recorded = await records.machines(name);
  if (!recorded?.network) return;
  const environment = await withAddresses(dependencies, configured);
  await pointLoadBalancer(dependencies, environment);
  await removeUnrecorded(dependencies, name, recorded);
  const { ledger } = await records.environment(name);
  const kept = recorded.machines.filter((machine) => stays(environment, ledger, machine));
  const leaving = recorded.machines.filter((machine) => !kept.includes(machine));
  if (leaving.length === 0) return;
  refuseDataLoss(environment, leaving);
  await forgetMachines(dependencies, name, leaving);
  if (!environment.machines) return removeForGood(dependencies, name);
  const { network, loadBalancer } = recorded;
  await deployMachines(dependencies, name, { network, loadBalancer, machines: kept, before: kept, stoppable: false });
}

function stays(environment: Environment, ledger: Ledger, { host }: MachineInputs): boolean {
  if (environment.machines === undefined) return false;
  const serves = currentRevision(ledger)?.containers.some((container) => container.host === host) ?? false;
  return serves || environment.hosts.some(({ name }) => name === host);
}

/** Points an environment's load balancer at its machines that are in service. Returns whether it led elsewhere. */
export async function pointLoadBalancer(
  { records, session }: Dependencies,
  environment: Environment,
): Promise<boolean> {
  if (!environment.machines) return false;
  const record = await records.environment(environment.name);
  return setBackends(session.machines, { environment: environment.name }, backendsOf(environment, record));
}
