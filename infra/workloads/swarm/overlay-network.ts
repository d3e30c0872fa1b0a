import { setTimeout as sleep } from 'node:timers/promises';
import { LockageError } from '../../../pipelines/errors.ts';
import { environmentNames } from '../../../pipelines/model/names.ts';
import type { ProviderContext } from '../../context/provider-context.ts';
import { EngineError, type Engine, type NetworkDetails } from '../../docker/api/client.ts';
import { isOwnedBy, ownerLabels } from '../../docker/labels.ts';
import type { OverlayInputs, Place } from '../../resources/inputs.ts';

/** Milliseconds for the nodes to release a network: earlier containers may still be ending, in their grace. */
const emptyTimeout = 120_000;

/**
 * Makes the network that an environment's services, edges and accessories share on all nodes. Throws LockageError when
 * its name is taken by another owner.
 */
export async function createOverlay(context: ProviderContext, inputs: OverlayInputs): Promise<void> {
  const engine = await context.engine(inputs.host);
  const { network } = environmentNames(inputs.app, inputs.environment);
  const found = await engine.inspectNetwork(network);
  if (found && isOurs(found, inputs)) return;
  if (found) {
    throw new LockageError(`a network named ${network} exists and is not of ${inputs.app} on this swarm`, {
      hint: `If ${inputs.environment} ran on these machines as hosts, \`lockage destroy ${inputs.environment}\` first; else \`docker network rm ${network}\`.`,
    });
  }
  await engine.createNetwork(network, {
    Driver: 'overlay',
    Attachable: true,
    ...(inputs.options ? { Options: { ...inputs.options } } : {}),
    Labels: ownerLabels(inputs.app, inputs.environment, 'network'),
  });
}

/** Removes the environment's network, once the nodes have released it. */
export async function removeOverlay(context: ProviderContext, inputs: OverlayInputs): Promise<void> {
  const { network } = environmentNames(inputs.app, inputs.environment);
  const engine = await context.engine(inputs.host);
  const found = await engine.inspectNetwork(network);
  if (found && isOurs(found, inputs)) await removeNetworkWhenFree(engine, network);
}

/** Removes a network of the swarm; waits while containers that have just ended hold it. Ignores an absent one. */
export async function removeNetworkWhenFree(engine: Engine, name: string): Promise<void> {
  for (const end = performance.now() + emptyTimeout; ;) {
    try {
      await engine.removeNetwork(name);
      return;
    } catch (error) {
      if (!(error instanceof EngineError) || !/in use|active endpoints/.test(error.reason) || performance.now() > end)
        throw error;
    }
    await sleep(300);
  }
}

function isOurs(found: NetworkDetails, place: Place): boolean {
  return isOwnedBy(found.Labels, place) && found.Driver === 'overlay';
}
