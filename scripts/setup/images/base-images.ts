/**
 * The base images of the lab and the sample. Each is pulled if a registry on the internet answers and otherwise built
 * from the machine's own packages; either way it ends under the same local name, so nothing after this file knows the
 * difference.
 */
import { messageOf } from '../../../pipelines/errors.ts';
import { tryRun } from '../../tools/command.ts';
import { StepError, type Step } from '../step.ts';
import {
  buildMariadb,
  buildNode,
  buildPostgres,
  buildRedis,
  mariadbRecipe,
  nodeRecipe,
  postgresRecipe,
  redisRecipe,
} from './debian.ts';
import { buildEdge, edgeRecipe } from './edge.ts';
import { pull } from './pull.ts';
import { buildRegistry, registryRecipe } from './registry.ts';

/** The local names of the base images on the machine's Docker Engine. */
export const baseImages = {
  edge: 'lockage-base/edge',
  mariadb: 'lockage-base/mariadb',
  node: 'lockage-base/node',
  postgres: 'lockage-base/postgres',
  redis: 'lockage-base/redis',
  registry: 'lockage-base/registry',
} as const;

export type BaseImage = keyof typeof baseImages;

/** The label of an image that was built here: the recipe that made it. */
export const recipeLabel = 'lockage.recipe';

interface Source {
  readonly what: string;
  readonly why: string;
  readonly official: string;
  readonly recipe: string;
  build(name: string, changes: readonly string[], progress: (line: string) => void): Promise<void>;
}

const sources: Readonly<Record<BaseImage, Source>> = {
  edge: {
    what: 'Edge proxy image',
    why: 'each host routes its traffic through Caddy in a container',
    official: 'caddy:2',
    recipe: edgeRecipe,
    build: buildEdge,
  },
  mariadb: {
    what: 'MariaDB image',
    why: 'a test keeps data in MariaDB',
    official: 'mariadb:10.11',
    recipe: mariadbRecipe,
    build: buildMariadb,
  },
  node: {
    what: 'Node.js image',
    why: 'the sample application is built on it',
    official: 'node:20-slim',
    recipe: nodeRecipe,
    build: buildNode,
  },
  postgres: {
    what: 'PostgreSQL image',
    why: 'the sample keeps its data in PostgreSQL',
    official: 'postgres:16',
    recipe: postgresRecipe,
    build: buildPostgres,
  },
  redis: {
    what: 'Redis image',
    why: 'a test keeps data in Redis',
    official: 'redis:7',
    recipe: redisRecipe,
    build: buildRedis,
  },
  registry: {
    what: 'Registry image',
    why: 'images travel through a registry, also on one machine',
    official: 'registry:3',
    recipe: registryRecipe,
    build: buildRegistry,
  },
};

/** Returns the steps that make sure of the base images, the most useful ones first. */
export function imageSteps(): Step[] {
  return (['edge', 'node', 'postgres', 'registry'] as const).map((name) => imageStep(baseImages[name], sources[name]));
}

/** Makes sure of a base image that set-up leaves out, as few need it. */
export async function ensureBaseImage(
  name: BaseImage,
  progress: (line: string) => void = () => undefined,
): Promise<void> {
  const step = imageStep(baseImages[name], sources[name]);
  if ((await step.ready()) === undefined) await step.run(progress);
}

function imageStep(image: string, source: Source): Step {
  return {
    name: source.what,
    why: source.why,
    ready: async () => {
      const found = await inspect(image);
      // An image without our label was pulled, and a pulled one follows no recipe of ours.
      if (!found || (found.recipe !== '' && found.recipe !== source.recipe)) return undefined;
      return `${image}, ${megabytes(found.size)}${found.recipe === '' ? ` (${source.official})` : ''}`;
    },
    run: async (progress) => {
      if (await pull(source.official, image, progress)) return `pulled ${source.official}`;
      progress(`${source.official} cannot be pulled here: building it from packages`);
      try {
        await source.build(image, [`LABEL ${recipeLabel}=${source.recipe}`], progress);
      } catch (error) {
        throw new StepError(
          `${image} could be neither pulled nor built`,
          'check that `docker info` answers and that either a registry or the package mirror can be reached',
          [messageOf(error)],
        );
      }
      return `built ${megabytes((await inspect(image))?.size ?? 0)} from packages`;
    },
  };
}

async function inspect(image: string): Promise<{ size: number; recipe: string } | undefined> {
  const format = `{{.Size}} {{index .Config.Labels "${recipeLabel}"}}`;
  const text = await tryRun(['docker', 'image', 'inspect', '--format', format, image], { timeout: 10_000 });
  if (text === undefined) return undefined;
  const [size = '0', recipe = ''] = text.trim().split(' ');
  return { size: Number(size), recipe };
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}
