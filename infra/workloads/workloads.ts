import { ServiceWorkload } from './swarm/service-workload.ts';
import { ContainerWorkload } from './container/container-workload.ts';
import type { Workload } from './workload.ts';
import type { ContainerInputs } from '../resources/inputs.ts';
import type { ProviderContext } from '../context/provider-context.ts';

/** A part of a release where it runs: on a host as a container, on a swarm as a service. */
export function workloadFor(context: ProviderContext, inputs: ContainerInputs): Workload {
  return inputs.host.managers ? new ServiceWorkload(context, inputs) : new ContainerWorkload(context, inputs);
}
