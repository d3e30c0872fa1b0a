import { LoadBalancer, Machine, MachineNetwork } from '../resources/classes.ts';
import type { LoadBalancerInputs, MachineInputs, MachineNetworkInputs } from '../resources/inputs.ts';

/** Returns the Pulumi program of an environment's own machines: their network, all of them on it, and their address. */
export function machineProgram(
  network: MachineNetworkInputs,
  machines: readonly MachineInputs[],
  loadBalancer: LoadBalancerInputs | undefined,
): () => Promise<void> {
  return async () => {
    const made = new MachineNetwork(network);
    const all = machines.map((machine) => new Machine(machine, { dependsOn: [made] }));
    if (loadBalancer) new LoadBalancer(loadBalancer, { dependsOn: [made, ...all] });
  };
}
