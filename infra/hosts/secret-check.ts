import { randomUUID } from 'node:crypto';
import { EngineError, type Engine } from '../docker/api/client.ts';
import type { ContainerSummary } from '../docker/api/types.ts';
import { labels, ownerLabels } from '../docker/labels.ts';
import type { Place } from '../resources/inputs.ts';
import { removeOwn } from '../workloads/own-container.ts';
import { problemsOf } from '../workloads/secret-problems.ts';
import { formerFolder, isSecretPart, secretParts, volumeMount } from '../workloads/secret-volume.ts';

/** The secrets of an environment as they lie on a host. */
export interface SecretsOnHost {
  /** how many containers have some */
  readonly volumes: number;
  /** what others than root and the container can read, or the container cannot: `shop-prod-web-1.secrets/TOKEN is …` */
  readonly problems: readonly string[];
  /** secrets of containers as they were before they had volumes, which every account of the host can read */
  readonly former: readonly string[];
}

/**
 * Looks at the secrets of an environment on a host, as far as its engine tells: modes and owners, through a container
 * that never starts. What is in the files is not looked at. Undefined where the environment has no container.
 */
export async function secretsOnHost(engine: Engine, place: Place): Promise<SecretsOnHost | undefined> {
  const own = { [labels.app]: place.app, [labels.environment]: place.environment };
  const [containers, all] = await Promise.all([
    engine.listContainers({ all: true, labels: own }),
    engine.listVolumes(own),
  ]);
  const [some] = containers;
  if (!some) return undefined;
  const volumes = all.filter(({ Labels }) => isSecretPart(Labels?.[labels.part])).map(({ Name }) => Name);
  const viewer = new Viewer(engine, place, some.ImageID);
  const found = await viewer.lookAt(volumes);
  const users = await usersOf(engine, containers);
  return {
    volumes: volumes.length,
    problems: found.flatMap(({ volume, entries }) => problemsOf(volume, entries, users.get(volume))),
    former: await viewer.formerSecrets(),
  };
}

/** Returns volume → uid of the release container that reads it, where it is said by its number. */
async function usersOf(engine: Engine, containers: readonly ContainerSummary[]): Promise<Map<string, string>> {
  const readers = containers.filter(({ Labels }) => Labels[labels.part] === 'release');
  const found = await Promise.all(
    readers.map(async ({ Id, Mounts }) => {
      const uid = /^\d+/.exec((await engine.inspectContainer(Id))?.Config.User ?? '')?.[0];
      return uid === undefined ? [] : Mounts.map(({ Name }) => [Name ?? '', uid] as const);
    }),
  );
  return new Map(found.flat());
}

/** A container that never starts, to look into what is mounted in it. */
class Viewer {
  readonly #engine: Engine;
  readonly #place: Place;
  readonly #image: string;

  constructor(engine: Engine, place: Place, image: string) {
    this.#engine = engine;
    this.#place = place;
    this.#image = image;
  }

  async lookAt(volumes: readonly string[]) {
    const mounts = volumes.map((volume, index) => ({ ...volumeMount(volume, `/seen/${index}`), ReadOnly: true }));
    return this.#with(mounts, async (viewer) =>
      Promise.all(
        volumes.map(async (volume, index) => ({
          volume,
          entries: (await this.#engine.getArchive(viewer, `/seen/${index}`)) ?? [],
        })),
      ),
    );
  }

  /** Lists what is left of an earlier version, as `shop-prod-web-1/TOKEN`. */
  async formerSecrets(): Promise<string[]> {
    const mounts = [{ Type: 'bind', Source: formerFolder, Target: '/seen', ReadOnly: true }];
    const { app, environment } = this.#place;
    try {
      const found = await this.#with(mounts, (viewer) =>
        this.#engine.getArchive(viewer, `/seen/${app}/${environment}`),
      );
      const files = (found ?? []).filter(({ type }) => type === 'file');
      return files.map(({ path }) => path.split('/').slice(1).join('/'));
    } catch (error) {
      // A folder that is not there, or that the engine may not mount, as Docker Desktop's: no secrets are in it.
      if (error instanceof EngineError && (error.status === 400 || /mounts denied/i.test(error.reason))) return [];
      throw error;
    }
  }

  async #with<T>(mounts: readonly object[], look: (viewer: string) => Promise<T>): Promise<T> {
    const { app, environment } = this.#place;
    // Somebody else may look at the same time. What is left of one that was killed goes with the next promotion.
    const name = `${app}-${environment}.${randomUUID().slice(0, 8)}.filler`;
    await this.#engine.createContainer(name, {
      Image: this.#image,
      Entrypoint: ['none'],
      Labels: ownerLabels(app, environment, secretParts.release),
      HostConfig: { NetworkMode: 'none', Mounts: mounts as never },
    });
    try {
      return await look(name);
    } finally {
      await removeOwn(this.#engine, this.#place, name);
    }
  }
}
