import type { Inventory } from '../../../pipelines/model/inventory.ts';
import type { Swarm } from '../../../pipelines/model/target.ts';
import type { Engine } from '../../docker/api/client.ts';
import { labels } from '../../docker/labels.ts';
import type { Place } from '../../resources/inputs.ts';
import type { Clearing } from '../runtime.ts';
import { stopGrace } from '../stop-grace.ts';
import { removeNetworkWhenFree } from './overlay-network.ts';
import { removeService } from './removal.ts';

/** Lists everything of an environment on a swarm. */
export async function swarmInventory(engine: Engine, swarm: Swarm, place: Place): Promise<Inventory> {
  const own = { [labels.app]: place.app, [labels.environment]: place.environment };
  const [services, networks, secrets] = await Promise.all([
    engine.listServices(own),
    engine.listNetworks(own, { scope: 'swarm' }),
    engine.listSecrets(own),
  ]);
  const containers = services.map(({ Spec }) => ({ name: Spec.Name, part: 'release', running: true }));
  return { host: swarm, containers, networks, volumes: [], data: [], secrets };
}

/** Removes everything in the inventory, services first. Ignores what is already gone. */
export async function removeSwarmInventory(
  engine: Engine,
  { containers, networks, secrets }: Inventory,
  { checkLock }: Pick<Clearing, 'checkLock'>,
): Promise<void> {
  await Promise.all(
    containers.map(async ({ name }) => {
      const service = await engine.inspectService(name);
      await checkLock();
      if (service) await removeService(engine, service, stopGrace);
    }),
  );
  await checkLock();
  await Promise.all([
    ...networks.map((name) => removeNetworkWhenFree(engine, name)),
    ...secrets.map((name) => engine.removeSecret(name)),
  ]);
}
