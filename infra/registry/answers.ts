import { LockageError } from '../../pipelines/errors.ts';
import { anything, list, map, maybe, MisfitError, number, or, record, text, type Shape } from '../system/shapes.ts';

/*
 * What registries answer, as far as it is read here (https://github.com/opencontainers/image-spec). Anybody may have pushed it, and a
 * proxy may answer in their place; programs in Go write null where they have nothing.
 */

const platform = record({ os: or(text, ''), architecture: or(text, ''), variant: maybe(text) });
const described = record({
  ...{ mediaType: or(text, ''), digest: text, size: or(number, 0) },
  ...{ platform: maybe(platform), urls: maybe(list(text)) },
});

const settings = record({
  ...{ User: or(text, ''), Labels: or(map(text), {}), Volumes: or(map(anything), {}) },
  ...{ Cmd: or(list(text), []), Entrypoint: or(list(text), []) },
});

/** The shapes of what registries keep. */
export const shapes = {
  /** a manifest, or an index of them */
  manifest: record({
    ...{ mediaType: maybe(text), config: maybe(described) },
    ...{ layers: maybe(list(described)), manifests: maybe(list(described)) },
  }),
  /** the configuration of an image: that of anything else, as of a chart, is for no processor */
  configuration: record({ os: or(text, 'linux'), architecture: text, config: or(settings, {}) }),
} satisfies Record<string, Shape>;

/** A part of an image, or an image of an index. */
export interface Described {
  /** empty where it is not said */
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly os: string; readonly architecture: string; readonly variant?: string | null } | null;
  /** where content lies that may not be pushed: it is in no registry */
  readonly urls?: readonly string[] | null;
}

/** A manifest, or an index of them. */
export interface ReadManifest {
  readonly mediaType?: string | null;
  readonly config?: Described | null;
  readonly layers?: readonly Described[] | null;
  readonly manifests?: readonly Described[] | null;
}

/** An image's configuration as the registry keeps it. */
export interface ReadConfiguration {
  readonly os: string;
  readonly architecture: string;
  readonly config: {
    /** empty for root */
    readonly User: string;
    readonly Labels: Readonly<Record<string, string>>;
    readonly Volumes: Readonly<Record<string, unknown>>;
    readonly Cmd: readonly string[];
    readonly Entrypoint: readonly string[];
  };
}

/** Returns a manifest, or an index. Throws LockageError where it is none; `from`: the registry or repository. */
export function readManifest(from: string, bytes: Buffer): ReadManifest {
  return read(from, bytes, shapes.manifest);
}

/** Returns the configuration of an image. Throws LockageError where it is none. */
export function readConfiguration(from: string, bytes: Buffer): ReadConfiguration {
  return read(from, bytes, shapes.configuration);
}

function read<T>(from: string, bytes: Buffer, shape: Shape): T {
  let found: unknown;
  try {
    found = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new LockageError(`${from} sent something that is not JSON`, { hint, cause });
  }
  try {
    return shape(found, 'it') as T;
  } catch (cause) {
    // Very deep ones end the stack.
    const why = cause instanceof MisfitError ? cause.message.slice(0, 200) : 'it is too deep';
    throw new LockageError(`${from} sent something that is no image: ${why}`, { hint, cause });
  }
}

const hint = 'See what was pushed there; something between, as a proxy, may have answered in its place.';
