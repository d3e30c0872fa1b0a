import type { ProviderContext } from '../context/provider-context.ts';
import { setBackends } from '../machines/load-balancer/load-balancer.ts';
import type { HandoverInputs } from '../resources/inputs.ts';

/** Sends an environment's traffic to other machines at once. Throws LockageError when it stays where it was. */
export async function handOver(context: ProviderContext, inputs: HandoverInputs): Promise<void> {
  await setBackends(context.machines, inputs, inputs.to);
  for (const { name } of inputs.to) context.progress({ host: name, step: 'hand over' });
}

/** Sends the traffic to the machines that had it before. */
export async function handBack(context: ProviderContext, inputs: HandoverInputs): Promise<void> {
  await setBackends(context.machines, inputs, inputs.from);
  for (const { name } of inputs.from) context.progress({ host: name, step: 'hand back' });
}
