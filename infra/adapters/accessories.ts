import {
  BrokenError,
  detailsOf,
  InterruptedError,
  LockageError,
  messageOf,
  RolledBackError,
} from '../../pipelines/errors.ts';
import type { Accessories, AccessoryPlace, BackupResult } from '../../pipelines/operations/ports/accessories.ts';
import type { BackupFile } from '../../pipelines/planning/restored-dump.ts';
import type { Session } from '../context/session.ts';
import { EngineError, type ContainerDetails, type Engine, type OutputLine } from '../docker/api/client.ts';
import { isOwnedBy } from '../docker/labels.ts';
import { dumpInto, proveRestore, takeIn } from '../hosts/accessory-data.ts';
import { wholeBackup } from '../hosts/backup-file.ts';
import { dataProgramOf } from '../hosts/data-program.ts';
import { refuseWithoutRoom } from '../hosts/proof-room.ts';
import { accessoryGrace, accessoryName, untilAccessoryWorks } from '../workloads/foundation/accessory-container.ts';

interface FoundAccessory {
  readonly engine: Engine;
  readonly found: ContainerDetails;
}

type AccessorySession = Pick<Session, 'connections' | 'signal' | 'lock' | 'mask'>;

/** The accessories of environments, on their hosts. */
export class AccessoriesAdapter implements Accessories {
  readonly #app: string;
  readonly #session: AccessorySession;

  constructor(app: string, session: AccessorySession) {
    this.#app = app;
    this.#session = session;
  }

  /** Returns whether it was made already. Throws LockageError when its host does not say. */
  async isThere(place: AccessoryPlace): Promise<boolean> {
    return (await this.#lookFor(place)) !== undefined;
  }

  async restart(place: AccessoryPlace): Promise<void> {
    const { engine, found } = await this.#find(place);
    await this.#session.lock?.check();
    try {
      await engine.restartContainer(found.Id, accessoryGrace);
      await this.#untilItWorks(engine, place);
    } catch (error) {
      throw await this.#notRestarted(place, { engine, found }, error);
    }
  }

  /** Makes the error of a restart, by what is true afterwards. */
  async #notRestarted(place: AccessoryPlace, { engine, found }: FoundAccessory, error: unknown): Promise<LockageError> {
    const what = `accessory ${place.accessory.name}`;
    const state = await engine.inspectContainer(found.Id).then(
      (now) => now?.State ?? { Running: false, StartedAt: '' },
      () => undefined,
    );
    if (state && !state.Running) return brokenBy(error, `${what} is down`, lookAtLogs(place));
    if (state && state.StartedAt !== found.State.StartedAt)
      return brokenBy(error, `${what} was restarted, and does not work`, lookAtLogs(place));
    // An engine that gave no answer may still be about to stop it.
    const isRefused = error instanceof EngineError && error.status !== undefined;
    if (!state || !isRefused) return brokenBy(error, `${what} may be down`, lookAtLogs(place));
    return new LockageError(`${what} was not restarted, and runs as before: ${error.message}`, { cause: error });
  }

  /** Reads the lines of its output. */
  async *logs(
    place: AccessoryPlace,
    options: { readonly tail: number; readonly follow: boolean },
  ): AsyncGenerator<OutputLine> {
    const { engine, found } = await this.#find(place);
    yield* engine.logs(found.Id, { ...options, signal: this.#session.signal });
  }

  /** Runs a command in it, and returns its exit code. */
  async exec(place: AccessoryPlace, argv: readonly string[], options: Parameters<Engine['exec']>[2]): Promise<number> {
    const { engine, found } = await this.#find(place);
    return (await engine.exec(found.Id, argv, { ...options, signal: this.#session.signal })).code;
  }

  async backUp(
    { environment, accessory }: AccessoryPlace,
    file: string,
    { prove }: { readonly prove: boolean },
  ): Promise<BackupResult> {
    const { signal } = this.#session;
    const mask = (text: string) => this.#session.mask(text);
    const { engine, found } = await this.#find({ environment, accessory });
    const program = await dataProgramOf(engine, accessory, found);
    const data = { container: found.Id, folders: Object.values(accessory.volumes) };
    if (prove) await refuseWithoutRoom(engine, data, signal);
    const started = performance.now();
    let took = 0;
    const check = async (draft: string) => {
      took = performance.now() - started;
      const place = { app: this.#app, environment: environment.name, accessory, found };
      const backup = await wholeBackup(draft, program.ownEnd);
      if (prove)
        await proveRestore(engine, place, program, { backup, signal, mask }).catch((error: unknown) => unproven(error));
    };
    const made = await dumpInto(engine, found.Id, program, { file, signal, check });
    return prove ? { ...made, took, proven: performance.now() - started - took } : { ...made, took };
  }

  async checkBackup(place: AccessoryPlace, file: string): Promise<void> {
    const { engine, found } = await this.#find(place);
    if (!found.State.Running) {
      throw new LockageError(`${engine.host}: accessory ${place.accessory.name} does not run`, {
        hint: `Start it with \`lockage accessory restart ${place.environment.name} ${place.accessory.name}\`.`,
      });
    }
    const program = await dataProgramOf(engine, place.accessory, found);
    await wholeBackup(file, program.ownEnd);
  }

  async restore(place: AccessoryPlace, file: string): Promise<BackupFile> {
    const { engine, found } = await this.#find(place);
    const { name } = place.accessory;
    const program = await dataProgramOf(engine, place.accessory, found);
    const backup = await wholeBackup(file, program.ownEnd);
    // To read it may take minutes, in which somebody may take over.
    await this.#session.lock?.check();
    let sha256: string;
    try {
      sha256 = await takeIn(engine, found.Id, program, { backup, signal: this.#session.signal });
    } catch (error) {
      if (!(error instanceof RolledBackError)) throw brokenBy(error, `${name} may have a part of the data of ${file}`);
      const Kind = this.#session.signal.aborted ? InterruptedError : RolledBackError;
      throw new Kind(`${name} has the data that it had: ${error.message}`, { details: error.details });
    }
    try {
      await this.#untilItWorks(engine, place);
    } catch (error) {
      throw brokenBy(error, `${name} has the data of ${file} and does not work with it`, lookAtLogs(place));
    }
    return { file, bytes: backup.size, sha256 };
  }

  async #untilItWorks(engine: Engine, { environment, accessory }: AccessoryPlace): Promise<void> {
    const name = accessoryName({ app: this.#app, environment: environment.name, name: accessory.name });
    const mask = (text: string) => this.#session.mask(text);
    await untilAccessoryWorks(engine, name, accessory.health?.timeout, { mask });
  }

  async #find(wanted: AccessoryPlace): Promise<FoundAccessory> {
    const found = await this.#lookFor(wanted);
    if (found) return found;
    const { environment, accessory } = wanted;
    throw new LockageError(`${accessory.host}: accessory ${accessory.name} is not there`, {
      hint: `A promotion to ${environment.name} makes it.`,
    });
  }

  async #lookFor({ environment, accessory }: AccessoryPlace): Promise<FoundAccessory | undefined> {
    const place = { app: this.#app, environment: environment.name };
    const host = environment.hosts.find(({ name }) => name === accessory.host);
    const engine = host && (await this.#session.connections.engine(host));
    const found = await engine?.inspectContainer(accessoryName({ ...place, name: accessory.name }));
    return engine && found && isOwnedBy(found.Config.Labels, place) ? { engine, found } : undefined;
  }
}

function unproven(error: unknown): never {
  if (!(error instanceof LockageError)) throw error;
  throw new LockageError(`what was backed up could not be restored: ${error.message}`, {
    details: error.details,
    hint: 'No file was written, and an earlier one is as it was. `--no-test` leaves this proof out.',
    cause: error,
  });
}

function lookAtLogs({ environment, accessory }: AccessoryPlace): string {
  return `Look at \`lockage accessory logs ${environment.name} ${accessory.name}\`.`;
}

function brokenBy(error: unknown, what: string, hint?: string): BrokenError {
  return new BrokenError(`${what}: ${messageOf(error)}`, { details: detailsOf(error), hint, cause: error });
}
