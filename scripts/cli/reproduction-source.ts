import { hostsOf, recordedRevision } from '../../infra/adapters/recorded-revision.ts';
import type { ImageDetails } from '../../infra/docker/api/types.ts';
import type { Connections } from '../../infra/docker/connections.ts';
import { ensureImage, localName } from '../../infra/hosts/images.ts';
import { Bundle } from '../../infra/registry/bundle/bundle.ts';
import { parseReference, RegistryClient } from '../../infra/registry/client.ts';
import { askTraits } from '../../infra/workloads/container/host-report.ts';
import { LockageError } from '../../pipelines/errors.ts';
import { blockOf, type Block } from '../../pipelines/model/block.ts';
import type { HostTraits } from '../../pipelines/model/host-traits.ts';
import type { RecordedRevision } from '../../pipelines/model/recorded-revision.ts';
import { imageByDigest, type Release } from '../../pipelines/model/release.ts';
import { releaseNamed } from '../../pipelines/model/releases.ts';
import { isSshHost, type EnvironmentHost, type Host, type Target } from '../../pipelines/model/target.ts';
import { parseRevisionName } from '../../pipelines/planning/choose-revision.ts';
import { loadProject } from '../project/load.ts';
import { openContext, type CommandContext } from './open-context.ts';

/** A recorded revision, and what else is known of the original. */
export interface ReproductionSource {
  readonly recorded: RecordedRevision;
  /** the file that has its images */
  readonly bundle?: Bundle;
  /** what the hosts of the original are made of, as far as they answer soon; never rejects */
  readonly traits: Promise<readonly HostTraits[]>;
  /** Returns whether the release’s digest has an image for a platform; false where nobody can be asked. */
  hasImageFor(platform: string): Promise<boolean>;
  /** looks at an image on a host, which pulls it first where it lacks it; throws LockageError where it cannot be had */
  held(connections: Connections, host: Host, image: string): Promise<HeldImage>;
  /** throws LockageError when its release is blocked */
  refuseBlocked(): void;
  /** throws LockageError when an environment of the project has that name */
  refuseName(name: string): void;
  /** those that are configured, of all environments */
  readonly hosts: readonly EnvironmentHost[];
  close(): Promise<void>;
}

/** How long the hosts of the original have to say what they are made of, ms: nothing waits for them but a table. */
const traitsTimeout = 3000;

/** Finds the revision that a name or a bundle stands for. Throws LockageError (refused). */
export async function sourceOf(
  text: string | undefined,
  bundle: string | undefined,
  signal: AbortSignal,
): Promise<ReproductionSource> {
  if (text !== undefined && bundle !== undefined) {
    throw new LockageError('name an environment or `--from FILE`, not both: a bundle is of one revision');
  }
  if (bundle !== undefined) return bundledSource(bundle, signal);
  if (text !== undefined) return recordedSource(text, undefined, signal);
  throw new LockageError('which environment?', {
    hint: 'Run `lockage reproduce ENVIRONMENT`, or `lockage reproduce --from FILE` with a bundle.',
  });
}

async function bundledSource(file: string, signal: AbortSignal): Promise<ReproductionSource> {
  const bundle = await Bundle.open(file, signal);
  const configured = await loadProject(process.cwd()).catch((error: unknown) => {
    if (error instanceof LockageError) return undefined;
    throw error;
  });
  return {
    recorded: bundle.recorded,
    bundle,
    traits: Promise.resolve([]),
    hasImageFor: () => Promise.resolve(false),
    held: (connections, host, image) => held(new RegistryClient({ signal }), { connections, host, image, signal }),
    refuseBlocked: () => undefined,
    refuseName: (name) => refuseTaken(name, configured?.environments.map((each) => each.name) ?? []),
    hosts: configured?.environments.flatMap(({ hosts }) => hosts) ?? [],
    close: () => bundle.close(),
  };
}

/**
 * Reads a revision as it is recorded, or with another `release` of the project in place of its own. It does so without the passphrase of
 * the state, where that is a folder: no value of a secret can be read by that. Throws LockageError (refused).
 */
export async function recordedSource(
  text: string,
  release: string | undefined,
  signal: AbortSignal,
): Promise<ReproductionSource> {
  const name = parseRevisionName(text);
  const context = await openContext({ keyless: true, yes: true, about: name.environment }, signal);
  try {
    const { records, project, connections } = context;
    const { recorded: revision, targets } = await recordedRevision(records, project, name);
    const recorded =
      release === undefined ? revision : { ...revision, release: releaseNamed(await records.releases(), release) };
    const block = blockOf(await records.blocks(), recorded.release);
    const taken = new Set([...project.environments.map((each) => each.name), ...(await records.environments())]);
    return {
      recorded,
      hasImageFor: (platform) => hasImageFor(context, recorded.release, platform),
      held: (links, host, image) => held(context.registryClient, { connections: links, host, image, signal }),
      refuseBlocked: () => refuseBlocked(recorded.release, block),
      traits: traitsOf(connections, name.environment, hostsOf(targets)),
      refuseName: (wanted) => refuseTaken(wanted, [...taken]),
      hosts: project.environments.flatMap(({ hosts }) => hosts),
      close: () => connections.close(),
    };
  } catch (error) {
    await context.connections.close();
    throw error;
  }
}

function refuseBlocked({ version }: Release, block: Block | undefined): void {
  if (!block) return;
  throw new LockageError(`release ${version} is blocked by ${block.actor}: ${block.reason}`, {
    hint: `\`lockage unblock ${version}\` lets it in again.`,
  });
}

/** An image on the engine that is to run it. */
export interface HeldImage {
  /** by its digest, where a registry gives it one */
  readonly reference: string;
  readonly details: ImageDetails | undefined;
}

interface Holding {
  readonly connections: Connections;
  readonly host: Host;
  readonly image: string;
  readonly signal: AbortSignal;
}

/** Looks at an image on an engine, which pulls it first where it lacks it, by the digest that it has now. Throws LockageError. */
async function held(registry: RegistryClient, { connections, host, image, signal }: Holding): Promise<HeldImage> {
  const engine = await connections.engine(host);
  const { repository, tag, digest } = parseReference(image);
  const there = await engine.inspectImage(image);
  if (there) {
    const known = (there.RepoDigests ?? []).find((each) => parseReference(each).repository === repository);
    return { reference: known ?? image, details: there };
  }
  const wanted = { repository, digest: digest ?? (await registry.resolve(repository, tag ?? 'latest')) };
  const through = isSshHost(host) ? 'ssh' : 'network';
  await ensureImage({ session: { connections, signal }, registry }, { registry: { through } }, host, wanted);
  const name = await localName(engine, wanted);
  return {
    reference: imageByDigest(wanted),
    details: name === undefined ? undefined : await engine.inspectImage(name),
  };
}

async function hasImageFor(
  { registryClient }: CommandContext,
  { repository, digest }: Release,
  platform: string,
): Promise<boolean> {
  try {
    const { os, architecture } = await registryClient.imageConfig(repository, digest, platform);
    return `${os}/${architecture}` === platform;
  } catch (error) {
    if (error instanceof LockageError) return false;
    throw error;
  }
}

function refuseTaken(name: string, taken: readonly string[]): void {
  if (!taken.includes(name)) return;
  throw new LockageError(`${name} is an environment of this project`, {
    hint: 'Give this one a name of its own: `reproduce` takes `--as NAME`.',
  });
}

/** Asks hosts what they are made of, all at once. One that does not answer in time says nothing. */
async function traitsOf(
  connections: Connections,
  environment: string,
  hosts: readonly Target[],
): Promise<readonly HostTraits[]> {
  const answers = hosts.map(async (host): Promise<HostTraits> => {
    const { traits } = await askTraits(await connections.engine(host), []);
    return { environment, host: host.name, traits };
  });
  const late = new Promise<undefined>((resolve) => setTimeout(resolve, traitsTimeout, undefined).unref());
  const known = answers.map((answer) => Promise.race([answer.catch(() => undefined), late]));
  return (await Promise.all(known)).filter((each) => each !== undefined);
}
