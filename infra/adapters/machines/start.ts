import { LockageError } from '../../../pipelines/errors.ts';
import type { StartedMachine } from '../../../pipelines/operations/ports/machines.ts';
import { providerContext, type Session } from '../../context/session.ts';
import { ensureBridge } from '../../machines/bridge.ts';
import { ensureLoadBalancer } from '../../machines/load-balancer/load-balancer.ts';
import { ensureMachine, machineState } from '../../machines/machine.ts';
import type { MachineInputs } from '../../resources/inputs.ts';
import type { Dependencies } from './dependencies.ts';
import { areHere } from './here.ts';

/**
 * Starts what is recorded of an environment's machines on this computer, with their bridge and their load balancer, as
 * after a power cut. What runs is left alone, and nothing is made. A machine that does not come up is returned as such:
 * visitors reach the others. Throws LockageError.
 */
export async function startMachines(dependencies: Dependencies, environment: string): Promise<StartedMachine[]> {
  const { records, session } = dependencies;
  const recorded = await records.machines(environment);
  if (!recorded?.network || !(await areHere(dependencies, environment, recorded))) return [];
  await ensureBridge(recorded.network);
  // A state lists its resources in no order of its own.
  const machines = recorded.machines.toSorted((a, b) => a.host.localeCompare(b.host, 'en', { numeric: true }));
  const started = await Promise.all(machines.map((machine) => startMachine(session, machine)));
  if (recorded.loadBalancer) await ensureLoadBalancer(session.machines, recorded.loadBalancer);
  return started;
}

/** Starts a machine, unless it is gone or runs. Throws what is no failure of that machine. */
export async function startMachine(session: Session, machine: MachineInputs): Promise<StartedMachine> {
  const { environment, host } = machine;
  if ((await machineState(session.machines, machine)) === 'absent') return { environment, host, runs: false };
  try {
    await ensureMachine(providerContext(session, true), machine);
    return { environment, host, runs: true };
  } catch (error) {
    if (!(error instanceof LockageError) || session.signal.aborted) throw error;
    return { environment, host, runs: false, problem: [error.message, ...error.details] };
  }
}
