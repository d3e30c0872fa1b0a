import { LockageError } from '../../pipelines/errors.ts';
import type { Accessory, Environment } from '../../pipelines/model/environment.ts';
import { environmentNames } from '../../pipelines/model/names.ts';
import type { EnvironmentHost } from '../../pipelines/model/target.ts';
import type { Engine } from '../docker/api/client.ts';
import { isOwnedBy, labels } from '../docker/labels.ts';
import type { Place } from '../resources/inputs.ts';
import { accessoryName } from '../workloads/foundation/accessory-container.ts';

type Labels = Readonly<Record<string, string>> | null | undefined;

/** The names of parts of an environment's foundation on a host. */
interface PartNames {
  readonly containers: readonly string[];
  readonly networks: readonly string[];
  readonly volumes: readonly string[];
}

/**
 * Refuses to make a foundation where another application's or environment's part has a name of it: names are joined by
 * hyphens, which they may contain, so `prod-eu` of `shop` has those of `eu` of `shop-prod`. What nobody owns is taken, but for
 * a container. Throws LockageError.
 */
export async function refuseForeignParts(
  engine: Engine,
  app: string,
  environment: Environment,
  host: EnvironmentHost,
): Promise<void> {
  const place = { app, environment: environment.name };
  const names = partNames(app, environment, host);
  const found = await Promise.all([
    ...names.containers.map(async (name) => {
      const container = await engine.inspectContainer(name);
      return container && !isOwnedBy(container.Config.Labels, place)
        ? [told('container', name, container.Config.Labels)]
        : [];
    }),
    ...names.networks.map(async (name) => taken('network', name, (await engine.inspectNetwork(name))?.Labels, place)),
    ...names.volumes.map(async (name) => taken('volume', name, (await engine.inspectVolume(name))?.Labels, place)),
  ]);
  const parts = found.flat();
  if (parts.length === 0) return;
  throw new LockageError(`${host.name}: ${parts.join(', ')}`, {
    hint: 'Name the application or the environment otherwise, or use another host. Nothing of theirs was touched.',
  });
}

function partNames(app: string, { name, accessories, orchestrator }: Environment, host: EnvironmentHost): PartNames {
  const { edge, network, live } = environmentNames(app, name);
  const own = accessories.filter((accessory) => accessory.host === host.name);
  const containerOf = (accessory: Accessory) => accessoryName({ app, environment: name, name: accessory.name });
  return {
    containers: [edge, ...own.map(containerOf)],
    // That of a swarm is looked at where it is made.
    networks: orchestrator ? [] : [network],
    volumes: [
      live,
      ...own.flatMap((accessory) =>
        Object.keys(accessory.volumes).map((volume) => `${containerOf(accessory)}-${volume}`),
      ),
    ],
  };
}

function taken(kind: string, name: string, found: Labels, place: Place): string[] {
  return found?.[labels.app] === undefined || isOwnedBy(found, place) ? [] : [told(kind, name, found)];
}

function told(kind: string, name: string, found: Labels): string {
  const app = found?.[labels.app];
  return `${kind} ${name} is of ${app === undefined ? 'nobody that is known' : `${found?.[labels.environment]} of ${app}`}`;
}
