import { ServicePart } from './swarm/service-workload.ts';
import { ContainerPart } from './container/container-workload.ts';
import type { Part } from './workload.ts';
import type { ContainerInputs } from '../resources/inputs.ts';
import type { Workshop } from '../context/provider-context.ts';

/** A part of a release where it runs: on a host as a container, on a swarm as a service. */
export function partOf(workshop: Workshop, inputs: ContainerInputs): Part {
  return inputs.host.managers ? new ServicePart(workshop, inputs) : new ContainerPart(workshop, inputs);
}
