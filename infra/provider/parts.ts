import { ServicePart } from '../swarm/service.ts';
import { ContainerPart } from './container-part.ts';
import type { Part } from './part.ts';
import type { ContainerInputs } from './types.ts';
import type { Workshop } from './workshop.ts';

/** A part of a release where it runs: on a host as a container, on a swarm as a service. */
export function partOf(workshop: Workshop, inputs: ContainerInputs): Part {
  return inputs.host.managers ? new ServicePart(workshop, inputs) : new ContainerPart(workshop, inputs);
}
