import { hostname } from 'node:os';
import type { StartedMachine } from '../../../pipelines/operations/ports/machines.ts';
import { providerContext } from '../../context/session.ts';
import { ensureBridge } from '../../machines/bridge.ts';
import { ensureLoadBalancer } from '../../machines/load-balancer/load-balancer.ts';
import { ensureMachine, machineState } from '../../machines/machine.ts';
import type { MachineInputs } from '../../resources/inputs.ts';
import type { Dependencies } from './dependencies.ts';

/**
 * Starts what is recorded of an environment's machines on this computer, with their bridge and their load balancer, as
 * after a power cut. What runs is left alone, and nothing is made. Throws LockageError when one does not come up.
 */
export async function startMachines(dependencies: Dependencies, environment: string): Promise<StartedMachine[]> {
  const { records, session } = dependencies;
  const recorded = await records.machines(environment);
  if (!recorded?.network || recorded.network.computer !== hostname()) return [];
  await ensureBridge(recorded.network);
  // A state lists its resources in no order of its own.
  const machines = recorded.machines.toSorted((a, b) => a.host.localeCompare(b.host, 'en', { numeric: true }));
  const started = await Promise.all(machines.map((machine) => startMachine(dependencies, machine)));
  if (recorded.loadBalancer) await ensureLoadBalancer(session.machines, recorded.loadBalancer);
  return started;
}

async function startMachine({ session }: Dependencies, machine: MachineInputs): Promise<StartedMachine> {
  const { environment, host } = machine;
  const runs = (await machineState(session.machines, machine)) !== 'absent';
  if (runs) await ensureMachine(providerContext(session, true), machine);
  return { environment, host, runs };
}
