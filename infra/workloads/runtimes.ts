import type { Target } from '../../pipelines/model/target.ts';
import type { ProviderContext } from '../context/provider-context.ts';
import type { ContainerInputs } from '../resources/inputs.ts';
import { ContainerRuntime } from './container/container-runtime.ts';
import type { Runtime } from './runtime.ts';
import { SwarmRuntime } from './swarm/swarm-runtime.ts';
import type { Workload } from './workload.ts';

/** Returns the runtime of a target. */
export function runtimeOf(target: Target): Runtime {
  switch (target.kind) {
    case 'host':
    case 'pending':
      return new ContainerRuntime(target);
    case 'swarm':
      return new SwarmRuntime(target);
  }
}

/** Returns a workload of a release on its target. */
export function workloadFor(context: ProviderContext, inputs: ContainerInputs): Workload {
  return runtimeOf(inputs.host).workload(context, inputs);
}
