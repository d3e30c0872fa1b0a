import { createHash } from 'node:crypto';
import { bakedLabels, bakeFingerprint, bakeTag, type BakeInputs } from '../../pipelines/databases/baked.ts';
import {
  kindNamed,
  kindOf,
  serverArguments,
  type DatabaseKind,
  type ImageFacts,
} from '../../pipelines/databases/kinds.ts';
import { bakedLogin, type BakedLogin } from '../../pipelines/databases/login.ts';
import { LockageError, messageOf } from '../../pipelines/errors.ts';
import type { ContainerSpec } from '../../pipelines/model/container-spec.ts';
import type { Accessory, Environment, Project } from '../../pipelines/model/environment.ts';
import { imageByDigest, type Digest, type Release } from '../../pipelines/model/release.ts';
import type { Host } from '../../pipelines/model/target.ts';
import { commandSpec } from '../../pipelines/planning/plan-migration.ts';
import type { Session } from '../context/session.ts';
import { bake, type BakePlan, type BakeRun } from '../databases/bake.ts';
import { Forks, type BakedImage } from '../databases/forks.ts';
import { readSeed } from '../databases/seed-file.ts';
import type { Engine, ImageDetails } from '../docker/api/client.ts';
import { ensureImage, localName } from '../hosts/images.ts';
import { imageKey } from '../programs/foundation-plan.ts';
import { parseReference, type RegistryClient } from '../registry/client.ts';
import { digestIn } from '../registry/reference.ts';
import { pinImages } from './foundation-images.ts';

interface Dependencies {
  readonly project: Project;
  readonly session: Session;
  readonly registry: RegistryClient;
  /** pushes a tag of the project's repository from the engine at hand */
  readonly push: (tag: string) => Promise<Digest>;
}

/** The database that copies are wanted of. */
export interface DatabaseWanted {
  readonly environment: Environment;
  readonly accessory: Accessory;
  /** whose migration it gets; absent: there is none yet */
  readonly release: Release | undefined;
  /** the engine at hand */
  readonly host: Host;
}

/** A baked database. */
export interface BakedDatabase {
  readonly kind: DatabaseKind;
  readonly fingerprint: string;
  /** `repository:tag`, as the engine at hand has it */
  readonly image: string;
  /** absent where it was not pushed */
  readonly digest?: Digest;
  readonly outcome: 'baked' | 'pulled' | 'unchanged';
  /** why it is not in the registry */
  readonly notPushed?: LockageError;
  readonly run: BakedImage;
}

/** Baked databases on the engine at hand, and in the repository of the releases. */
export class DatabasesAdapter {
  readonly #dependencies: Dependencies;

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Makes sure that the engine at hand has a baked image for what is wanted: the one that it has, else that of the registry, else
   * one that is baked now, and pushed. Throws LockageError.
   */
  async ensure(wanted: DatabaseWanted): Promise<BakedDatabase> {
    const { project, session } = this.#dependencies;
    const engine = await session.connections.engine(wanted.host);
    const found = await this.#described(engine, wanted);
    const fingerprint = bakeFingerprint(found.inputs);
    const tag = bakeTag(wanted.accessory.name, fingerprint);
    const image = `${project.repository}:${tag}`;
    const known = { kind: found.kind, fingerprint, image };
    const here = await bakedHere(engine, image, fingerprint);
    if (here) return { ...known, outcome: 'unchanged', run: runOf(wanted, found, image, here) };
    const pulled = await this.#pull(engine, wanted, tag, fingerprint);
    if (pulled) return { ...known, ...pulled, outcome: 'pulled', run: runOf(wanted, found, image, pulled.details) };
    await this.#bake(engine, wanted, found, { fingerprint, repository: project.repository, tag });
    const made = await bakedHere(engine, image, fingerprint);
    if (!made) throw new Error(`${image} was baked and is not there`);
    const pushed = await this.#push(tag);
    return { ...known, ...pushed, outcome: 'baked', run: runOf(wanted, found, image, made) };
  }

  /** Opens forks of a baked database on the engine at hand. `mayReuse`: they are to serve again, where they can. */
  async forks({ run }: BakedDatabase, host: Host, mayReuse: boolean): Promise<Forks> {
    const { connections, signal } = this.#dependencies.session;
    return Forks.open(await connections.engine(host), run, mayReuse, signal);
  }

  /** Finds out what is to be baked, and has the images for it on the engine. */
  async #described(engine: Engine, { environment, accessory, release, host }: DatabaseWanted): Promise<Described> {
    const { project, session, registry } = this.#dependencies;
    const pinned = await pinImages({ session, registry }, environment, [{ host, image: accessory.image }], {});
    const held = pinned.held[imageKey(host.name, accessory.image)] ?? accessory.image;
    const details = await engine.inspectImage(held);
    if (!details) throw new Error(`${held} was pulled and is not there`);
    const facts = factsOf(details, accessory);
    const kind = kindOf(accessory.name, accessory.image, facts, accessory.kind);
    const args = serverArguments(accessory.name, kind, facts.command);
    const login = bakedLogin(accessory, kind);
    const { seed } = accessory;
    const isMigrated = accessory.migrated ?? kindNamed(kind).isMigrated;
    const { migration } = environment;
    const runs: BakeRun[] = [];
    const specOf = (name: string, command: readonly string[]) => {
      if (!release) throw noRelease(accessory.name);
      const { app } = project;
      return commandSpec({ app, environment: onHost(environment, host), release, versions: {} }, name, command);
    };
    if (isMigrated && migration)
      runs.push({
        what: `migration ${release?.version}`,
        spec: specOf('migration', migration.command),
        timeout: migration.timeout,
      });
    if (seed && 'command' in seed)
      runs.push({ what: 'seed', spec: specOf('seed', seed.command), timeout: migration?.timeout ?? 600_000 });
    const content = seed && 'file' in seed ? await readSeed(project.root, accessory.name, seed.file) : undefined;
    const [migrated, seeded] = isMigrated && migration ? runs : [undefined, ...runs];
    const image = pinned.images[accessory.image] ?? accessory.image;
    const inputs: BakeInputs = {
      kind,
      image: image.includes('@') ? image : knownDigest(accessory.image, details),
      platform: `${details.Os}/${details.Architecture}`,
      command: args,
      env: accessory.env,
      secrets: accessory.secrets,
      ...(migrated ? { migration: releaseCommand(migrated.spec) } : {}),
      ...(content
        ? { seed: { sha256: createHash('sha256').update(content).digest('hex') } }
        : seeded
          ? { seed: releaseCommand(seeded.spec) }
          : {}),
    };
    return { kind, args, ...login, held, runs, inputs, ...(content ? { content } : {}) };
  }

  async #bake(
    engine: Engine,
    { environment, accessory, release, host }: DatabaseWanted,
    { kind, args, login, names, held, runs, content }: Described,
    { fingerprint, ...made }: { readonly fingerprint: string; readonly repository: string; readonly tag: string },
  ): Promise<void> {
    const { project, session, registry } = this.#dependencies;
    if (runs.length > 0 && release) {
      await ensureImage({ session, registry }, environment, host, release);
    }
    const image = release && ((await localName(engine, release)) ?? imageByDigest(release));
    const secrets = [...accessory.secrets, ...runs.flatMap(({ spec }) => Object.keys(spec.secrets))];
    const plan: BakePlan = {
      ...{ accessory: accessory.name, app: project.app, environment: environment.name, image: held, kind, args },
      ...{ login, names },
      env: accessory.env,
      secrets: [...new Set(secrets)],
      own: accessory.secrets,
      volumes: Object.values(accessory.volumes),
      memory: accessory.memory,
      runs: runs.map((run) => ({ ...run, spec: { ...run.spec, image: image ?? run.spec.image } })),
      ...(content ? { seed: content } : {}),
      ...{ fingerprint, made },
    };
    const started = performance.now();
    const report = (step: string) =>
      session.progress({ host: host.name, step, detail: accessory.name, took: performance.now() - started });
    await bake(engine, plan, report, session.signal);
  }

  /** Returns the image of the registry; undefined where it has none, or does not answer. */
  async #pull(
    engine: Engine,
    { environment, host }: DatabaseWanted,
    tag: string,
    fingerprint: string,
  ): Promise<{ readonly digest: Digest; readonly details: ImageDetails } | undefined> {
    const { project, session, registry } = this.#dependencies;
    const { repository } = project;
    try {
      const digest = await registry.tagDigest(repository, tag, true);
      if (digest === undefined) return undefined;
      await ensureImage({ session, registry }, environment, host, { repository, digest });
      const name = await localName(engine, { repository, digest });
      if (name === undefined) return undefined;
      await engine.tagImage(name, { repository, tag });
      const details = await bakedHere(engine, `${repository}:${tag}`, fingerprint);
      return details && { digest, details };
    } catch (error) {
      // It can be baked here as well.
      session.signal.throwIfAborted();
      if (!(error instanceof LockageError)) throw error;
      session.progress({ host: host.name, step: 'not pulled', detail: messageOf(error) });
      return undefined;
    }
  }

  async #push(tag: string): Promise<{ readonly digest: Digest } | { readonly notPushed: LockageError }> {
    try {
      return { digest: await this.#dependencies.push(tag) };
    } catch (error) {
      this.#dependencies.session.signal.throwIfAborted();
      if (error instanceof LockageError) return { notPushed: error };
      throw error;
    }
  }
}

/** What is to be baked. */
interface Described extends BakedLogin {
  readonly kind: DatabaseKind;
  readonly args: readonly string[];
  /** the accessory's image, as the engine has it */
  readonly held: string;
  readonly runs: readonly BakeRun[];
  readonly content?: Buffer;
  readonly inputs: BakeInputs;
}

/** An environment as if it ran on the engine at hand alone. */
function onHost(environment: Environment, host: Host): Environment {
  const { orchestrator: _, ...rest } = environment;
  const onIt = <T extends { readonly name: string }>(parts: readonly T[], change: (part: T) => T) => parts.map(change);
  return {
    ...rest,
    hosts: [host],
    roles: onIt(environment.roles, (role) => ({ ...role, hosts: [host.name] })),
    accessories: onIt(environment.accessories, (accessory) => ({ ...accessory, host: host.name })),
  };
}

function releaseCommand(spec: ContainerSpec) {
  const { image, command = [], env, secrets } = spec;
  // What names a host or an environment says nothing of the data.
  const { LOCKAGE_HOST: _, ...kept } = env;
  return { image, command, env: kept, secrets: Object.keys(secrets) };
}

function factsOf({ Config }: ImageDetails, accessory: Accessory): ImageFacts {
  const pairs = (Config.Env ?? []).map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]);
  const own = Array.isArray(Config.Cmd) ? Config.Cmd : [];
  return { env: Object.fromEntries(pairs) as Record<string, string>, command: accessory.command ?? own };
}

/**
 * Returns an image by the digest that its registry gave it when it was pulled: that may be out of reach today. One that was only
 * loaded is what it is on this engine.
 */
function knownDigest(image: string, { Id, RepoDigests }: ImageDetails): string {
  const [digest, another] = [...new Set((RepoDigests ?? []).flatMap((name) => digestIn(name) ?? []))];
  return digest !== undefined && another === undefined ? `${parseReference(image).repository}@${digest}` : Id;
}

/** Returns the engine's own baked image; undefined where it has none with that fingerprint. */
async function bakedHere(engine: Engine, image: string, fingerprint: string): Promise<ImageDetails | undefined> {
  const found = await engine.inspectImage(image);
  return found?.Config.Labels?.[bakedLabels.fingerprint] === fingerprint ? found : undefined;
}

function runOf(
  { accessory }: DatabaseWanted,
  { kind, args, login }: Described,
  image: string,
  { Config }: ImageDetails,
): BakedImage {
  const size = Config.Labels?.[bakedLabels.size];
  return {
    ...{ image, kind, args, login },
    user: Config.Labels?.[bakedLabels.user] ?? '',
    volumes: Object.keys(Config.Volumes ?? {}),
    ...(size === undefined ? {} : { size: Number(size) * 1024 }),
    memory: accessory.memory,
    ...(accessory.cpus === undefined ? {} : { cpus: accessory.cpus }),
  };
}

function noRelease(accessory: string): LockageError {
  return new LockageError(`there is no release yet whose migration makes the data of ${accessory}`, {
    hint: `Run \`lockage release\` first, or write \`accessories.${accessory}.migrated: false\`.`,
  });
}
