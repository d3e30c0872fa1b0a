import type { Inventory } from '../../../pipelines/model/inventory.ts';
import { environmentNames } from '../../../pipelines/model/names.ts';
import type { EnvironmentHost } from '../../../pipelines/model/target.ts';
import type { Engine } from '../../docker/api/client.ts';
import { containerName } from '../../docker/api/names.ts';
import type { ContainerSummary } from '../../docker/api/types.ts';
import { labels, passingParts, reaperPart } from '../../docker/labels.ts';
import type { Place } from '../../resources/inputs.ts';
import type { Clearing } from '../runtime.ts';
import { stopGrace } from '../stop-grace.ts';

/** The part of accessories and their volumes: what these hold is data, and goes only when that is asked for. */
const accessoryPart = 'accessory';

/** Lists everything of an environment on a host. `ownLock`: the lock there is held by who asks. */
export async function hostInventory(
  engine: Engine,
  host: EnvironmentHost,
  place: Place,
  ownLock: boolean,
): Promise<Inventory> {
  const own = { [labels.app]: place.app, [labels.environment]: place.environment };
  const [containers, networks, volumes] = await Promise.all([
    engine.listContainers({ all: true, labels: own }),
    engine.listNetworks(own, { scope: 'local' }),
    engine.listVolumes(own),
  ]);
  const { lock } = environmentNames(place.app, place.environment);
  const isLock = ({ Name }: (typeof volumes)[number]) => Name === lock || Name.startsWith(`${lock}.`);
  const isData = (volume: (typeof volumes)[number]) => volume.Labels?.[labels.part] === accessoryPart;
  return {
    host,
    containers: containers
      .filter(isLasting)
      .map(listed)
      .sort((a, b) => a.name.localeCompare(b.name)),
    networks,
    volumes: [
      ...new Set([
        ...volumes.filter((volume) => !isData(volume) && !(ownLock && isLock(volume))).map(({ Name }) => Name),
        ...containers.filter((container) => !isAccessory(container)).flatMap(namelessVolumes),
      ]),
    ],
    data: [
      ...volumes.filter(isData).map(({ Name }) => Name),
      ...containers.filter(isAccessory).flatMap(namelessVolumes),
    ],
    secrets: [],
  };
}

/**
 * Returns whether a container lasts. One that visits public ports ends, and is gone, within a minute; one that never
 * began stays until it is removed.
 */
function isLasting({ Labels, State }: ContainerSummary): boolean {
  return Labels[labels.part] !== passingParts.visit || State !== 'running';
}

function listed(container: ContainerSummary): Listed {
  const part = container.Labels[labels.part] ?? '';
  return { name: containerName(container), part, running: container.State === 'running' };
}

function isAccessory({ Labels }: ContainerSummary): boolean {
  return Labels[labels.part] === accessoryPart;
}

/** Returns the volumes of a container that its image declares and nobody named: the engine gave them a hash for a name. */
export function namelessVolumes({ Mounts }: Pick<ContainerSummary, 'Mounts'>): string[] {
  return Mounts.filter(isNameless).map(({ Name }) => Name);
}

/** Returns whether a mount is of a volume that nobody named. */
export function isNameless<M extends { readonly Name?: string | undefined }>(
  mount: M,
): mount is M & { readonly Name: string } {
  return /^[0-9a-f]{64}$/.test(mount.Name ?? '');
}

/**
 * Removes all of it, containers first; data only if `withData`. What is gone already is fine. What would remove the environment
 * after its time goes last: it ends what is interrupted here.
 */
export async function removeHostInventory(engine: Engine, inventory: Inventory, clearing: Clearing): Promise<void> {
  const { withData, checkLock } = clearing;
  const isReaper = ({ part }: Listed) => part === reaperPart;
  const remove = (containers: readonly Listed[]) =>
    Promise.all(containers.map((each) => removeListed(engine, each, clearing)));
  await remove(inventory.containers.filter((each) => !isReaper(each)));
  await checkLock();
  await Promise.all([
    ...inventory.networks.map((name) => engine.removeNetwork(name)),
    ...[...inventory.volumes, ...(withData ? inventory.data : [])].map((name) => engine.removeVolume(name)),
  ]);
  await remove(inventory.containers.filter(isReaper));
}

type Listed = Inventory['containers'][number];

async function removeListed(engine: Engine, { name, part, running }: Listed, { checkLock }: Clearing): Promise<void> {
  await checkLock();
  if (running) await engine.stopContainer(name, stopGrace).catch(() => undefined);
  // To stop takes seconds, in which somebody may take over.
  await checkLock();
  await engine.removeContainer(name, { force: true, keepsVolumes: part === accessoryPart });
}
