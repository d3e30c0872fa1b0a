import { ServicePart } from './swarm/service-workload.ts';
import { ContainerPart } from './container/container-workload.ts';
import type { Part } from './workload.ts';
import type { ContainerInputs } from '../resources/inputs.ts';
import type { ProviderContext } from '../context/provider-context.ts';

/** A part of a release where it runs: on a host as a container, on a swarm as a service. */
export function partOf(context: ProviderContext, inputs: ContainerInputs): Part {
  return inputs.host.managers ? new ServicePart(context, inputs) : new ContainerPart(context, inputs);
}
