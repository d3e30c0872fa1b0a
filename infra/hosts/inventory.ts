import type { Inventory } from '../../pipelines/model/inventory.ts';
import { Edge } from '../edge/edge.ts';
import type { Engine } from '../docker/api/client.ts';
import { containerName } from './observe.ts';
import type { Place } from '../resources/inputs.ts';
import { removeNetworkWhenFree } from '../workloads/swarm/overlay-network.ts';
import { removeService } from '../workloads/swarm/removal.ts';
import { labels } from '../docker/labels.ts';
import { environmentNames } from '../../pipelines/model/names.ts';
import type { Host } from '../../pipelines/model/target.ts';

const stopGrace = 10_000;

/** Everything of an environment on a host, whatever the record says. `ownLock`: the lock there is held by who asks. */
export async function inventoryOf(engine: Engine, host: Host, place: Place, ownLock: boolean): Promise<Inventory> {
  const own = { [labels.app]: place.app, [labels.environment]: place.environment };
  if (host.managers) return remainsOfSwarm(engine, host, own);
  const [containers, networks, volumes] = await Promise.all([
    engine.listContainers({ all: true, labels: own }),
    engine.listNetworks(own, { scope: 'local' }),
    engine.listVolumes(own),
  ]);
  const { lock } = environmentNames(place.app, place.environment);
  const isData = (volume: (typeof volumes)[number]) => volume.Labels?.[labels.part] === 'accessory';
  return {
    host,
    containers: containers
      .map((container) => ({
        name: containerName(container),
        part: container.Labels[labels.part] ?? '',
        running: container.State === 'running',
      }))
      .sort((a, b) => a.name.localeCompare(b.name)),
    networks,
    volumes: volumes.filter((volume) => !isData(volume) && !(ownLock && volume.Name === lock)).map(({ Name }) => Name),
    data: volumes.filter(isData).map(({ Name }) => Name),
    secrets: [],
  };
}

async function remainsOfSwarm(engine: Engine, host: Host, own: Record<string, string>): Promise<Inventory> {
  const [services, networks, secrets] = await Promise.all([
    engine.listServices(own),
    engine.listNetworks(own, { scope: 'swarm' }),
    engine.listSecrets(own),
  ]);
  const containers = services.map(({ Spec }) => ({ name: Spec.Name, part: 'release', running: true }));
  return { host, containers, networks, volumes: [], data: [], secrets };
}

/** Removes all of it, containers first; data only if `withData`. What is gone already is fine. */
export async function removeInventory(engine: Engine, remains: Inventory, withData: boolean): Promise<void> {
  if (remains.host.managers) return sweepSwarm(engine, remains);
  await Promise.all(
    remains.containers.map(async ({ name, running }) => {
      if (running) await engine.stopContainer(name, stopGrace).catch(() => undefined);
      await engine.removeContainer(name, { force: true });
    }),
  );
  await Promise.all([
    ...remains.networks.map((name) => engine.removeNetwork(name)),
    ...[...remains.volumes, ...(withData ? remains.data : [])].map((name) => engine.removeVolume(name)),
  ]);
}

async function sweepSwarm(engine: Engine, { containers, networks, secrets }: Inventory): Promise<void> {
  await Promise.all(
    containers.map(async ({ name }) => {
      const service = await engine.inspectService(name);
      if (service) await removeService(engine, service, stopGrace);
    }),
  );
  await Promise.all([
    ...networks.map((name) => removeNetworkWhenFree(engine, name)),
    ...secrets.map((name) => engine.removeSecret(name)),
  ]);
}

/** Removes the secrets of containers from a host's memory. Only the edge reaches them, so it must still run. */
export async function forgetSecrets(engine: Engine, place: Place, containers: readonly string[]): Promise<void> {
  await new Edge(engine, environmentNames(place.app, place.environment).edge).forgetSecrets(containers);
}
