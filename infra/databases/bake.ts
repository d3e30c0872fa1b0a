import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { bakedLabels } from '../../pipelines/databases/baked.ts';
import { dataFolder } from '../../pipelines/databases/fork-scripts.ts';
import { kindNamed, type DatabaseKind, type Login } from '../../pipelines/databases/kinds.ts';
import { standInName } from '../../pipelines/databases/login.ts';
import { messageOf, WorkloadFailedError } from '../../pipelines/errors.ts';
import { secretsPath, type ContainerSpec } from '../../pipelines/model/container-spec.ts';
import type { ContainerBody, Engine } from '../docker/api/client.ts';
import { createBody } from '../workloads/container/create-request.ts';
import { createForUser } from '../workloads/container/owned-folders.ts';
import { lastLogLines } from '../workloads/last-lines.ts';
import { databaseParts, owned, removeOwned } from './owner.ts';
import { reusableSize } from './reusable-size.ts';

/** What is baked, by names that the engine knows. */
export interface BakePlan {
  /** the accessory: its name on the network */
  readonly accessory: string;
  readonly app: string;
  readonly environment: string;
  readonly image: string;
  readonly kind: DatabaseKind;
  readonly login: Login;
  /** arguments of its server */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** names of all secrets, of the database and of what runs against it */
  readonly secrets: readonly string[];
  /** those of the database */
  readonly own: readonly string[];
  /** those of which the value is a name that whoever logs in has to know */
  readonly names: readonly string[];
  /** paths of its volumes, none of which it has here */
  readonly volumes: readonly string[];
  /** bytes */
  readonly memory: number;
  /** commands of the release, in their order */
  readonly runs: readonly BakeRun[];
  /** written to the database's own client */
  readonly seed?: Buffer;
  readonly fingerprint: string;
  /** the name that the image gets */
  readonly made: { readonly repository: string; readonly tag: string };
}

/** A command of a release that runs to its end against the database. */
export interface BakeRun {
  /** what it is, for messages: `migration 1.4.0` */
  readonly what: string;
  readonly spec: ContainerSpec;
  /** milliseconds */
  readonly timeout: number;
}

/** Milliseconds until the server answers, and for it to end: databases write what they have first. */
const startTimeout = 180_000;
const stopTimeout = 120_000;
const seedTimeout = 3600_000;

/** Over the socket the account needs no password, over TCP always: also from inside a fork's own network. */
const accessRules = 'local all all trust\nhost all all all scram-sha-256\n';

/**
 * Makes an image of a database that was migrated, seeded and stopped cleanly. Its data lies where its image declares no volume, or
 * a commit would leave it out. Nothing but the image is left, whatever happens. Throws LockageError.
 */
export async function bake(
  engine: Engine,
  plan: BakePlan,
  report: (step: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const own = await owned(databaseParts.bake);
  const name = `lockage-bake-${randomBytes(8).toString('hex')}`;
  const oven = new Oven(engine, plan, own, name, signal);
  try {
    await oven.start();
    report('started');
    for (const run of plan.runs) {
      await oven.run(run);
      report(run.what);
    }
    if (plan.seed) {
      await oven.seed(plan.seed);
      report('seeded');
    }
    const user = await oven.owner();
    const size = await oven.reusableSize();
    await oven.stop();
    const labels = {
      [bakedLabels.fingerprint]: plan.fingerprint,
      [bakedLabels.kind]: plan.kind,
      [bakedLabels.data]: dataFolder,
      [bakedLabels.user]: user,
      ...(size === undefined ? {} : { [bakedLabels.size]: size }),
    };
    await engine.commitContainer(name, plan.made, labels, { signal });
  } finally {
    await removeOwned(engine, own);
  }
}

class Oven {
  readonly #engine: Engine;
  readonly #plan: BakePlan;
  readonly #own: Readonly<Record<string, string>>;
  /** of the database, its network and the volume with secrets */
  readonly #name: string;
  readonly #signal: AbortSignal;

  constructor(
    engine: Engine,
    plan: BakePlan,
    own: Readonly<Record<string, string>>,
    name: string,
    signal: AbortSignal,
  ) {
    this.#engine = engine;
    this.#plan = plan;
    this.#own = own;
    this.#name = name;
    this.#signal = signal;
  }

  async start(): Promise<void> {
    const [name, signal] = [this.#name, this.#signal];
    await this.#engine.createNetwork(name, { Labels: { ...this.#own } }, { signal });
    await this.#engine.createVolume(name, { Labels: { ...this.#own } }, { signal });
    await this.#engine.createContainer(name, this.#database(), { signal });
    await this.#engine.putArchive(name, '/', [
      // Whoever its image runs as makes the folder of the data in it.
      { path: 'lockage', type: 'directory', mode: 0o777 },
      { path: 'lockage/hba.conf', mode: 0o644, content: accessRules },
    ]);
    await this.#engine.putArchive(name, secretsPath, this.#secretFiles());
    await this.#engine.startContainer(name, { signal });
    await this.#untilAnswers();
  }

  /** Runs a command of the release as an environment does, but for secrets, and waits for its end. */
  async run({ what, spec, timeout }: BakeRun): Promise<void> {
    const name = `${this.#name}-${randomBytes(3).toString('hex')}`;
    const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(timeout)]);
    const { app, environment } = this.#plan;
    const body = createBody(app, environment, spec);
    const request = { ...body, ...this.#place(body, spec.secrets) };
    const imageUser = (await this.#engine.inspectImage(spec.image, { signal }))?.Config.User;
    await createForUser(this.#engine, { ...spec, name }, { request, imageUser, signal });
    await this.#engine.startContainer(name, { signal });
    const code = await this.#engine.waitContainer(name, { deadline: timeout, signal }).catch((error: unknown) => {
      this.#signal.throwIfAborted();
      return messageOf(error);
    });
    if (code !== 0)
      throw await this.#failed(
        name,
        `${what} ${typeof code === 'number' ? `ended with exit code ${code}` : `failed: ${code}`}`,
      );
    await this.#engine.removeContainer(name, { force: true });
  }

  /** Gives a seed to the database's own client, all of it or nothing. */
  async seed(content: Buffer): Promise<void> {
    const { kind, login } = this.#plan;
    const options = { stdin: content, deadline: seedTimeout, signal: this.#signal, env: this.#clientEnv() };
    const { code, stderr } = await this.#engine.exec(this.#name, kindNamed(kind).client(login), options);
    if (code === 0) return;
    throw new WorkloadFailedError(`${this.#engine.host}: the seed of ${this.#plan.accessory} failed`, {
      details: stderr.trim().split('\n').slice(-10),
    });
  }

  /** Returns whose the data is, as `uid:gid`. Throws LockageError where none is there. */
  async owner(): Promise<string> {
    const asked = ['stat', '-c', '%u:%g', dataFolder];
    const { code, stdout, stderr } = await this.#engine.exec(this.#name, asked, { signal: this.#signal });
    const user = stdout.trim();
    if (code === 0 && /^\d+:\d+$/.test(user)) return user;
    throw new WorkloadFailedError(`${this.#engine.host}: ${this.#plan.accessory} has no data in ${dataFolder}`, {
      details: [stderr.trim() || `stat says ${JSON.stringify(user)}`],
      hint: `Leave the place of its data to its image: no ${dataFolder} in \`accessories.${this.#plan.accessory}.command\`.`,
    });
  }

  /** Returns the KiB of the data where forks of it can serve again. */
  reusableSize(): Promise<string | undefined> {
    const { kind, login } = this.#plan;
    return reusableSize(this.#engine, { name: this.#name, kind, login, env: this.#clientEnv() }, this.#signal);
  }

  /** Ends it cleanly, or throws: what a fork would have to recover first is no pristine copy. */
  async stop(): Promise<void> {
    await this.#engine.stopContainer(this.#name, stopTimeout, { signal: this.#signal });
    const code = (await this.#engine.inspectContainer(this.#name, { signal: this.#signal }))?.State.ExitCode;
    if (code !== 0)
      throw await this.#failed(this.#name, `${this.#plan.accessory} did not end cleanly: exit code ${code}`);
  }

  #database(): ContainerBody {
    const { accessory, image, kind, args, env, own, volumes, memory } = this.#plan;
    const { stopSignal, bake: served } = kindNamed(kind);
    const server = served(args, [secretsPath, ...volumes]);
    const variables = { ...env, ...filesOf(own), ...server.env };
    return {
      Image: image,
      Cmd: [...server.command],
      Env: Object.entries(variables).map(([key, value]) => `${key}=${value}`),
      Labels: { ...this.#own },
      // Some images take what lies in the working folder for the data.
      ...(kind === 'redis' ? { WorkingDir: dataFolder } : {}),
      StopSignal: stopSignal,
      Healthcheck: { Test: ['NONE'] },
      HostConfig: {
        NetworkMode: this.#name,
        Mounts: [this.#mount()] as never,
        SecurityOpt: ['no-new-privileges'],
        Memory: memory,
        MemorySwap: memory,
        PidsLimit: 1024,
        RestartPolicy: { Name: 'no' },
      },
      NetworkingConfig: { EndpointsConfig: { [this.#name]: { Aliases: [accessory] } } },
    };
  }

  /** Where a command of the release runs: beside the database, as nobody's container of an environment. */
  #place({ HostConfig }: ContainerBody, secrets: ContainerSpec['secrets']): ContainerBody {
    const mounts = Object.keys(secrets).length === 0 ? [] : [{ ...this.#mount(), ReadOnly: true }];
    return {
      Labels: { ...this.#own },
      HostConfig: { ...HostConfig, NetworkMode: this.#name, Mounts: mounts as never },
      NetworkingConfig: { EndpointsConfig: { [this.#name]: {} } },
    };
  }

  #mount() {
    return { Type: 'volume', Source: this.#name, Target: secretsPath };
  }

  #secretFiles() {
    return this.#plan.secrets.map((path) => ({ path, mode: 0o444, content: this.#standIn(path) }));
  }

  readonly #values = new Map<string, string>();

  /** A value that stands in for an environment's: what is baked is given to others. */
  #standIn(secret: string): string {
    if (this.#plan.names.includes(secret)) return standInName;
    const known = this.#values.get(secret) ?? randomBytes(24).toString('hex');
    this.#values.set(secret, known);
    return known;
  }

  /** The clients of some kinds want the password of the account, also over the socket. */
  #clientEnv(): Record<string, string> {
    const { kind, login, env, own } = this.#plan;
    if (kind !== 'mariadb') return {};
    const names = login.user === 'root' ? ['ROOT_PASSWORD'] : ['PASSWORD'];
    const given = names.flatMap((name) => [`MARIADB_${name}`, `MYSQL_${name}`]);
    for (const name of given) {
      const file = env[`${name}_FILE`]?.replace(`${secretsPath}/`, '');
      if (file !== undefined && this.#plan.secrets.includes(file)) return { MYSQL_PWD: this.#standIn(file) };
      if (own.includes(name)) return { MYSQL_PWD: this.#standIn(name) };
      if (env[name] !== undefined) return { MYSQL_PWD: env[name] };
    }
    return {};
  }

  async #untilAnswers(): Promise<void> {
    const { kind, login, accessory } = this.#plan;
    const probe = kindNamed(kind).probe(login);
    for (const end = performance.now() + startTimeout; ;) {
      this.#signal.throwIfAborted();
      const found = await this.#engine.inspectContainer(this.#name, { signal: this.#signal });
      if (!found?.State.Running)
        throw await this.#failed(this.#name, `${accessory} ended with exit code ${found?.State.ExitCode}`);
      const asked = this.#engine.exec(this.#name, probe, { deadline: 5000, signal: this.#signal });
      if ((await asked.catch(() => ({ code: -1 }))).code === 0) return;
      if (performance.now() > end)
        throw await this.#failed(this.#name, `${accessory} did not answer within ${startTimeout / 1000} s`);
      await sleep(100, undefined, { signal: this.#signal });
    }
  }

  async #failed(container: string, how: string): Promise<WorkloadFailedError> {
    this.#signal.throwIfAborted();
    const lines = await lastLogLines(this.#engine, container);
    return new WorkloadFailedError(`${this.#engine.host}: ${how}`, {
      details: ['last log lines:', ...(lines.length > 0 ? lines : ['(none)']).map((line) => `  ${line}`)],
      hint: 'Nothing was baked, and nothing is left of it.',
    });
  }
}

/** Returns the variables that name the files of secrets, as every container gets them. */
function filesOf(secrets: readonly string[]): Record<string, string> {
  return Object.fromEntries(secrets.map((name) => [`${name}_FILE`, `${secretsPath}/${name}`]));
}
