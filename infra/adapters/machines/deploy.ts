import { detailsOf, messageOf, passesUnchanged, RolledBackError } from '../../../pipelines/errors.ts';
import { providerContext } from '../../context/session.ts';
import { foundationStack, machinesStack } from '../../pulumi/stack-names.ts';
import type { LoadBalancerInputs, MachineInputs, MachineNetworkInputs } from '../../resources/inputs.ts';
import type { Dependencies } from './dependencies.ts';
import { disconnect, removeEverything } from './remove.ts';

/** The wanted content of the stack of an environment's machines. */
export interface WantedMachines {
  readonly network: MachineNetworkInputs;
  readonly machines: readonly MachineInputs[];
  readonly loadBalancer: LoadBalancerInputs | undefined;
  /** the machines that were recorded */
  readonly before: readonly MachineInputs[];
  /** whether the operator may end it early; a rollback must not end early */
  readonly stoppable: boolean;
}

/**
 * Deploys the stack of an environment's machines. Throws LockageError; machines of a failed first deployment are
 * removed.
 */
export async function deployMachines(
  dependencies: Dependencies,
  environment: string,
  wanted: WantedMachines,
): Promise<void> {
  const [stacks, { machineProgram }] = await Promise.all([dependencies.stacks(), import('../../programs/machines.ts')]);
  const program = machineProgram(wanted.network, wanted.machines, wanted.loadBalancer);
  const context = providerContext(dependencies.session, wanted.stoppable);
  try {
    await stacks.up(machinesStack(environment), program, context, { message: 'machines' });
  } catch (error) {
    if (passesUnchanged(error)) throw error;
    throw await undoDeployment(dependencies, environment, wanted.before.length === 0, error);
  }
}

/** Returns the error for a failed deployment, after removing everything if it was the first one. */
async function undoDeployment(dependencies: Dependencies, environment: string, first: boolean, error: unknown) {
  const left = first ? await problemOf(removeEverything(dependencies, environment)) : [];
  const hint = 'Those that were there before are as they were. Run the same command again.';
  return new RolledBackError(`the machines of ${environment} could not be made`, {
    details: [messageOf(error), ...detailsOf(error), ...left],
    ...(first ? {} : { hint }),
    cause: error,
  });
}

async function problemOf(work: Promise<void>): Promise<string[]> {
  return work.then(
    () => [],
    (error: unknown) => [messageOf(error)],
  );
}

/** Forgets what is recorded on machines that leave: nothing has to be removed from them, and they may be dead. */
export async function forgetMachines(
  dependencies: Dependencies,
  environment: string,
  leaving: readonly MachineInputs[],
): Promise<void> {
  const pulumi = await dependencies.stacks();
  const hosts = leaving.map(({ host }) => host);
  for (const stack of [environment, foundationStack(environment)]) await pulumi.forgetHosts(stack, hosts);
  for (const machine of leaving) await disconnect(dependencies, machine);
}
