/**
 * The edge image that set-up made on the operator's own engine, for where the official one cannot be pulled: it is pushed to where
 * the hosts get their releases from, so that it comes to them on the same way, and is recorded by its digest.
 */
import type { RegistryClient } from '../../infra/registry/client.ts';
import { parseReference } from '../../infra/registry/reference.ts';
import { variablesFor } from '../../infra/system/environment.ts';
import { defaults } from '../../pipelines/config/resolve/defaults.ts';
import { embeddedEdge, isEmbedded } from '../../pipelines/model/embedded.ts';
import { shortDigest } from '../../pipelines/model/release.ts';
import { pushArguments } from '../tools/docker-arguments.ts';
import { pushedDigest } from '../tools/pushed-digest.ts';
import { mustRun, run } from '../tools/shell.ts';

/** Its name on the engine that set-up worked on. */
export const edgeOfSetup = 'lockage-base/edge';

const questionTimeout = 30_000;
const pushTimeout = 10 * 60_000;

interface Dependencies {
  /** the repository of the project's releases */
  readonly repository: string;
  /** nothing may be pushed there: it is another project's */
  readonly isForeign: boolean;
  readonly registry: RegistryClient;
  readonly tell: (text: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Returns whether set-up's image may stand in for an edge's. A reproduction knows only the digest that the original was pinned to:
 * whoever configured that of the official image there is not asked here, where another edge is told as a difference.
 */
export function mayStandIn(edgeImage: string, isReproduction: boolean): boolean {
  if (edgeImage === defaults.edgeImage) return true;
  const { repository, digest } = parseReference(edgeImage);
  const official = parseReference(defaults.edgeImage).repository;
  return isReproduction && digest !== undefined && [official, embeddedEdge].includes(repository);
}

/** The edge image of set-up. */
export class EdgeStandIn {
  readonly #dependencies: Dependencies;
  #pushed: Promise<string | undefined> | undefined;

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Returns the image by its digest in a registry, to which it was pushed, in place of one that cannot be pulled; undefined where
   * the engine that `docker` uses does not have it. Throws LockageError.
   */
  insteadOf(image: string): Promise<string | undefined> {
    return (this.#pushed ??= this.#push(image));
  }

  async #push(image: string): Promise<string | undefined> {
    const { repository, isForeign, registry, tell, signal } = this.#dependencies;
    const options = { env: variablesFor('docker'), signal, timeout: questionTimeout };
    const found = await run(['docker', 'image', 'inspect', '--format', '{{.Id}}', edgeOfSetup], options);
    if (found.code !== 0) return undefined;
    const id = found.stdout.trim();
    const own = isForeign || isEmbedded(repository) ? embeddedEdge : repository;
    // No version of a release looks like that.
    const tag = `lockage-edge-${shortDigest(id)}`;
    const placed = `${(await registry.locate(own)).repository}:${tag}`;
    await mustRun('name the edge image', ['docker', 'image', 'tag', id, placed], options);
    try {
      const pushing = { ...options, timeout: pushTimeout };
      const digest = pushedDigest(await mustRun('push the edge image', pushArguments(placed), pushing), tag);
      if (digest === undefined) return undefined;
      tell(`${image} cannot be pulled: the edge is ${edgeOfSetup} of this computer, ${shortDigest(digest)}`);
      return `${own}@${digest}`;
    } finally {
      // It is named by its digest from now on, and the port of a loopback means nothing later.
      await run(['docker', 'image', 'rm', '--no-prune', placed], { ...options, signal: new AbortController().signal });
    }
  }
}
