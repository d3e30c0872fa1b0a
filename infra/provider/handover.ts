import type { HandoverInputs } from './types.ts';
import type { Workshop } from './workshop.ts';

/** Sends an environment's traffic to other machines at once. Throws LockageError when it stays where it was. */
export async function handOver(workshop: Workshop, inputs: HandoverInputs): Promise<void> {
  for (const { name } of inputs.to) workshop.progress({ host: name, step: 'switch' });
}

/** Sends the traffic to the machines that had it before. */
export async function handBack(workshop: Workshop, inputs: HandoverInputs): Promise<void> {
  for (const { name } of inputs.from) workshop.progress({ host: name, step: 'switch back' });
}
