import { leadFront } from '../machines/front.ts';
import type { HandoverInputs } from './types.ts';
import type { Workshop } from './workshop.ts';

/** Sends an environment's traffic to other machines at once. Throws LockageError when it stays where it was. */
export async function handOver(workshop: Workshop, inputs: HandoverInputs): Promise<void> {
  await leadFront(workshop.machines, inputs, inputs.to);
  for (const { name } of inputs.to) workshop.progress({ host: name, step: 'hand over' });
}

/** Sends the traffic to the machines that had it before. */
export async function handBack(workshop: Workshop, inputs: HandoverInputs): Promise<void> {
  await leadFront(workshop.machines, inputs, inputs.from);
  for (const { name } of inputs.from) workshop.progress({ host: name, step: 'hand back' });
}
