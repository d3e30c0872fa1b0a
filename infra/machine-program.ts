import { Machine, MachineNetwork } from './provider/resources.ts';
import type { MachineInputs, MachineNetworkInputs } from './provider/types.ts';

/** The Pulumi program of an environment's own machines: their network, and all of them on it. */
export function machineProgram(network: MachineNetworkInputs, machines: readonly MachineInputs[]): () => Promise<void> {
  return async () => {
    const made = new MachineNetwork(network);
    for (const machine of machines) new Machine(machine, { dependsOn: [made] });
  };
}
