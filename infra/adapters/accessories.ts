import { BrokenError, detailsOf, LockageError, messageOf, RolledBackError } from '../../pipelines/errors.ts';
import type { Accessory, Environment } from '../../pipelines/model/environment.ts';
import { didYouMean } from '../../pipelines/text/suggest.ts';
import type { ContainerDetails, Engine, OutputLine } from '../docker/api/client.ts';
import type { Connections } from '../docker/connections.ts';
import { labels } from '../docker/labels.ts';
import { dataProgramOf, dumpInto, proveRestore, takeIn } from '../hosts/accessory-data.ts';
import { accessoryGrace, accessoryName, untilAccessoryWorks } from '../workloads/foundation/accessory-container.ts';

/** How a backup went. */
export interface BackupResult {
  readonly bytes: number;
  /** milliseconds */
  readonly took: number;
  /** milliseconds of the restore that proved it; absent: it was not proven */
  readonly proven?: number;
}

/** One accessory of an environment, on its host. */
export class AccessoryAdapter {
  readonly #accessory: Accessory;
  readonly #environment: Environment;
  readonly #app: string;
  readonly #engine: Engine;

  private constructor(app: string, environment: Environment, accessory: Accessory, engine: Engine) {
    this.#app = app;
    this.#environment = environment;
    this.#accessory = accessory;
    this.#engine = engine;
  }

  /** Finds an accessory by its name. Throws LockageError when the environment has none of that name, or its host does not answer. */
  static async open(
    connections: Pick<Connections, 'engine'>,
    app: string,
    environment: Environment,
    name: string,
  ): Promise<AccessoryAdapter> {
    const names = environment.accessories.map((each) => each.name);
    const accessory = environment.accessories.find((each) => each.name === name);
    const host = environment.hosts.find((each) => each.name === accessory?.host);
    if (!accessory || !host) {
      const others = names.length === 0 ? 'it has none' : `there are ${names.join(', ')}`;
      throw new LockageError(`${environment.name} has no accessory ${name}${didYouMean(name, names)}`, {
        details: [others],
      });
    }
    return new AccessoryAdapter(app, environment, accessory, await connections.engine(host));
  }

  /** Stops it, starts it again and waits until it works. Throws BrokenError when it does not. */
  async restart(): Promise<void> {
    const { Id } = await this.#container();
    const { health } = this.#accessory;
    try {
      await this.#engine.stopContainer(Id, accessoryGrace);
      await this.#engine.startContainer(Id);
      await untilAccessoryWorks(this.#engine, this.#name, health?.timeout);
    } catch (error) {
      throw new BrokenError(`accessory ${this.#accessory.name} is down: ${messageOf(error)}`, {
        details: detailsOf(error),
        hint: `Look at \`lockage accessory logs ${this.#environment.name} ${this.#accessory.name}\`.`,
        cause: error,
      });
    }
  }

  /** Reads the lines of its output. */
  async *logs(options: { tail: number; follow: boolean; signal: AbortSignal }): AsyncGenerator<OutputLine> {
    const { Id } = await this.#container();
    yield* this.#engine.logs(Id, options);
  }

  /** Runs a command in it, and returns its exit code. */
  async exec(argv: readonly string[], options: Parameters<Engine['exec']>[2]): Promise<number> {
    const { Id } = await this.#container();
    return (await this.#engine.exec(Id, argv, options)).code;
  }

  /** Writes its data to a file, and proves that they can be restored. Throws LockageError; a file of before is left then. */
  async backup(
    file: string,
    { prove, signal }: { readonly prove: boolean; readonly signal: AbortSignal },
  ): Promise<BackupResult> {
    const found = await this.#container();
    const program = await dataProgramOf(this.#engine, this.#accessory, found);
    const started = performance.now();
    const bytes = await dumpInto(this.#engine, found.Id, program, { file, signal });
    const took = performance.now() - started;
    if (!prove) return { bytes, took };
    const place = { app: this.#app, environment: this.#environment.name, accessory: this.#accessory, found };
    try {
      await proveRestore(this.#engine, place, program, { file, signal });
    } catch (error) {
      throw new LockageError(`the backup in ${file} could not be restored: ${messageOf(error)}`, {
        details: detailsOf(error),
        hint: 'Do not rely on it. `--no-test` leaves this proof out.',
        cause: error,
      });
    }
    return { bytes, took, proven: performance.now() - started - took };
  }

  /** Takes the data of a file in. Throws RolledBackError where nothing of it was taken in, else BrokenError. */
  async restore(file: string, signal: AbortSignal): Promise<void> {
    const found = await this.#container();
    const program = await dataProgramOf(this.#engine, this.#accessory, found);
    try {
      await takeIn(this.#engine, found.Id, program, { file, signal });
    } catch (error) {
      const { name } = this.#accessory;
      const options = { details: detailsOf(error), cause: error };
      if (program.whole) throw new RolledBackError(`${name} has the data that it had: ${messageOf(error)}`, options);
      throw new BrokenError(`${name} may have a part of the data of ${file}: ${messageOf(error)}`, options);
    }
    await untilAccessoryWorks(this.#engine, this.#name, this.#accessory.health?.timeout);
  }

  get #name(): string {
    return accessoryName({ app: this.#app, environment: this.#environment.name, name: this.#accessory.name });
  }

  async #container(): Promise<ContainerDetails> {
    const found = await this.#engine.inspectContainer(this.#name);
    if (found?.Config.Labels[labels.app] === this.#app) return found;
    throw new LockageError(`${this.#engine.host}: accessory ${this.#accessory.name} is not there`, {
      hint: `A promotion to ${this.#environment.name} makes it.`,
    });
  }
}
