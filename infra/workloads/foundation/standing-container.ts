import {
  BrokenError,
  detailsOf,
  InterruptedError,
  LockageError,
  messageOf,
  OvertakenError,
  RolledBackError,
} from '../../../pipelines/errors.ts';
import type { Target } from '../../../pipelines/model/target.ts';
import { partKey, type ProviderContext } from '../../context/provider-context.ts';
import { EngineError, type ContainerBody, type ContainerDetails, type Engine } from '../../docker/api/client.ts';
import { isOwnedBy, labels, ownerLabels } from '../../docker/labels.ts';
import type { Place } from '../../resources/inputs.ts';
import { failpoint } from '../../system/failpoint.ts';
import { restartPolicies } from '../container/create-request.ts';
import { isNameless } from '../container/inventory.ts';
import { withHeldImage } from '../held-image.ts';
import { removeOwn } from '../own-container.ts';

/** What a wait for a container's work ends by, and what hides secrets in the output that explains its failure. */
export type Waiting = Pick<ProviderContext, 'signal' | 'mask'>;

/** A container that stays on a host while releases come and go, as it has to be. */
export interface StandingContainer extends Place {
  readonly host: Target;
  /** for people: `edge proxy`, `accessory db` */
  readonly what: string;
  readonly name: string;
  readonly image: string;
  readonly body: ContainerBody;
  /** hash of all that it is made of */
  readonly spec: string;
  /** milliseconds that it gets to end */
  readonly grace: number;
  /** volumes of it that nobody named hold data: the next one gets them, and they are never removed */
  readonly keepsVolumes?: true;
  /** Waits until it does its work. Throws LockageError that says why it does not. */
  works(engine: Engine, waiting: Waiting): Promise<void>;
  /** Returns whether one that was made before hashes were noted is what is wanted. */
  isAlike?(engine: Engine, found: ContainerDetails): Promise<boolean>;
}

/** A standing container that does not work, and no earlier one in its place. */
export class DownError extends BrokenError {}

/** Returns names beside that of a standing container: no other container has a dot in its name. */
export function namesBeside(name: string): { readonly fresh: string; readonly aside: string; readonly trial: string } {
  return { fresh: `${name}.new`, aside: `${name}.old`, trial: `${name}.trial` };
}

/** Returns the labels of a standing container. */
export function standingLabels(
  place: Place,
  part: string,
  made: { readonly host: Target; readonly spec: string; readonly pinned: string; readonly configured: string },
): Record<string, string> {
  return {
    ...ownerLabels(place.app, place.environment, part),
    [labels.host]: made.host.name,
    [labels.spec]: made.spec,
    [labels.image]: made.configured,
    [labels.digest]: made.pinned.split('@')[1] ?? '',
  };
}

/**
 * Makes a container what it has to be. One that is that already, and works, is left alone. Else the next one is made
 * beside it, takes its name and its place, and has to work before the one before is removed; when it does not, the one
 * before is back. Safe to repeat after a kill at any moment. Throws RolledBackError when what worked works, and
 * DownError when nothing does.
 */
export async function ensureStanding(context: ProviderContext, wanted: StandingContainer): Promise<void> {
  const engine = await context.engine(wanted.host);
  context.signal.throwIfAborted();
  const found = await recovered(engine, wanted, context);
  if (found && (await isWanted(context, wanted, found))) return;
  const change = new Change(engine, wanted, context);
  if (!found || found.State.Status === 'created') {
    await context.checkLock();
    if (found) await engine.removeContainer(found.Id, { force: true });
    await change.make();
  } else {
    await change.replace(found);
  }
  context.progress({ host: wanted.host.name, step: found ? 'replaced' : 'made', detail: wanted.name });
}

/** Removes a standing container, and what a killed command left beside it. What is gone or another host's already is fine. */
export async function removeStanding(
  context: ProviderContext,
  place: Place & { readonly host: Target },
  { name, grace, keepsVolumes }: Pick<StandingContainer, 'name' | 'grace' | 'keepsVolumes'>,
): Promise<void> {
  const engine = await context.engine(place.host);
  for (const each of [name, ...Object.values(namesBeside(name))]) {
    const found = await engine.inspectContainer(each);
    if (!found || !isOwnedBy(found.Config.Labels, place)) continue;
    if ((found.Config.Labels[labels.host] ?? place.host.name) !== place.host.name) continue;
    await context.checkLock();
    if (found.State.Running) await engine.stopContainer(each, grace);
    // What never took over has no data of its own.
    const isProven = each === name || each === namesBeside(name).aside;
    await context.checkLock();
    await engine.removeContainer(each, { force: true, keepsVolumes: keepsVolumes && isProven });
    context.progress({ host: place.host.name, step: 'remove', detail: each });
  }
}

/** Ends what a killed command left half done, and returns the container of that name. Throws LockageError when it is a stranger's. */
async function recovered(
  engine: Engine,
  wanted: StandingContainer,
  context: Guard,
): Promise<ContainerDetails | undefined> {
  const { name } = wanted;
  const { fresh, aside } = namesBeside(name);
  const [now, before, next] = await Promise.all([name, aside, fresh].map((each) => ownContainer(engine, wanted, each)));
  if (next || before) await context.checkLock();
  if (next) await engine.removeContainer(next.Id, { force: true });
  if (!before) return now;
  if (now && !before.State.Running && (await finished(engine, wanted, now, before, context))) {
    return engine.inspectContainer(name);
  }
  await context.checkLock();
  // The next one was never started while the one before runs.
  if (now) await engine.removeContainer(now.Id, { force: true, keepsVolumes: wanted.keepsVolumes });
  // It counts as the one that stands as soon as it has the name.
  await engine.updateContainer(before.Id, { RestartPolicy: restartPolicies.serves });
  await engine.renameContainer(before.Id, name);
  // What keeps it from starting shows when it is replaced.
  if (!before.State.Running) await engine.startContainer(before.Id).catch(() => undefined);
  return engine.inspectContainer(name);
}

/** Starts the one that is to take over, which may have been started already. Returns whether it works, and stays. */
async function finished(
  engine: Engine,
  wanted: StandingContainer,
  next: ContainerDetails,
  before: ContainerDetails,
  context: Guard,
): Promise<boolean> {
  try {
    await engine.startContainer(next.Id);
    await wanted.works(engine, context);
  } catch {
    // Whoever stops it learns nothing about it: both stay as they are for the next command.
    context.signal.throwIfAborted();
    return false;
  }
  await context.checkLock();
  await engine.removeContainer(before.Id, { force: true, keepsVolumes: wanted.keepsVolumes });
  return true;
}

async function isWanted(
  context: ProviderContext,
  wanted: StandingContainer,
  found: ContainerDetails,
): Promise<boolean> {
  const { Running, Paused } = found.State;
  if (!Running || Paused || context.replaced?.has(partKey(wanted.host, wanted.name))) return false;
  const engine = await context.engine(wanted.host);
  const spec = found.Config.Labels[labels.spec];
  const isThis = spec === undefined ? ((await wanted.isAlike?.(engine, found)) ?? false) : spec === wanted.spec;
  if (!isThis) return false;
  try {
    await wanted.works(engine, context);
    return true;
  } catch {
    context.signal.throwIfAborted();
    return false;
  }
}

/** What a change asks before each of its steps: whether it may still act. */
type Guard = Waiting & Pick<ProviderContext, 'checkLock'>;

/**
 * A change of a standing container. Each container is meant by its id, and the lock is looked at before each step: who was overtaken
 * meanwhile finds another one by the same name, and must not touch it.
 */
class Change {
  readonly #engine: Engine;
  readonly #wanted: StandingContainer;
  readonly #context: Guard;
  #isRefused = false;

  constructor(engine: Engine, wanted: StandingContainer, context: Guard) {
    this.#engine = engine;
    this.#wanted = wanted;
    this.#context = context;
  }

  /** Makes it where there is none. */
  async make(): Promise<void> {
    const { name, what, host } = this.#wanted;
    try {
      await this.#begin(await this.#create(name));
    } catch (error) {
      await this.#mayGoOn(error);
      // What has the name where the engine refused it is somebody else's.
      if (!this.#isRefused) await removeOwn(this.#engine, this.#wanted, name).catch(() => undefined);
      const Kind = this.#context.signal.aborted ? InterruptedError : DownError;
      throw new Kind(`${host.name}: ${what} ${name} was not made: ${reasonOf(host, error)}`, parts(error));
    }
  }

  /** Makes it in the place of another one. */
  async replace(before: ContainerDetails): Promise<void> {
    const engine = this.#engine;
    const { name, grace, keepsVolumes } = this.#wanted;
    const { fresh, aside } = namesBeside(name);
    try {
      await this.#context.checkLock();
      const next = await this.#create(fresh, keepsVolumes ? before : undefined);
      failpoint('replace:created');
      await this.#context.checkLock();
      await engine.renameContainer(before.Id, aside);
      failpoint('replace:aside');
      await this.#context.checkLock();
      await engine.renameContainer(next, name);
      failpoint('replace:named');
      await this.#context.checkLock();
      await engine.stopContainer(before.Id, grace);
      failpoint('replace:stopped');
      await this.#context.checkLock();
      // From here on the next one may run: a restart of the host must not bring both.
      await engine.updateContainer(before.Id, { RestartPolicy: restartPolicies.rests });
      await this.#begin(next);
    } catch (error) {
      await this.#mayGoOn(error);
      throw await this.#back(before, error);
    }
    await this.#context.checkLock();
    await engine.removeContainer(before.Id, { force: true, keepsVolumes });
  }

  async #begin(id: string): Promise<void> {
    await this.#context.checkLock();
    await this.#engine.startContainer(id);
    failpoint('replace:started');
    await this.#wanted.works(this.#engine, this.#context);
  }

  /** Makes one, with the nameless volumes of the one before. */
  async #create(name: string, before?: ContainerDetails): Promise<string> {
    const { image } = this.#wanted;
    const body = before ? withMounts(this.#wanted.body, namelessMounts(before, this.#wanted.body)) : this.#wanted.body;
    try {
      return await withHeldImage(this.#engine, image, (Image) =>
        this.#engine.createContainer(name, { ...body, Image }),
      );
    } catch (error) {
      this.#isRefused = error instanceof EngineError && error.status !== undefined;
      throw error;
    }
  }

  /**
   * Looks at the lock after a failure. Whoever has overtaken this sees to what is there: nothing is put back then. Where nobody can
   * say whose it is, it is left as it is, and so is what works. Throws LockageError.
   */
  async #mayGoOn(failure: unknown): Promise<void> {
    const { name, what, host } = this.#wanted;
    const lock = await this.#context.checkLock().catch((reason: unknown) => reason);
    if (lock === undefined) return;
    if (lock instanceof OvertakenError) throw lock;
    const details = [messageOf(failure), ...detailsOf(failure), messageOf(lock)];
    throw new DownError(`${host.name}: ${what} ${name} was left half replaced`, { ...parts(failure), details });
  }

  /** Puts the one before back in its place. Returns the error that says how that ended. */
  async #back(before: ContainerDetails, error: unknown): Promise<LockageError> {
    const { name, what, host } = this.#wanted;
    const why = `${host.name}: ${what} ${name} was not replaced: ${reasonOf(host, error)}`;
    try {
      await this.#putBack(before);
    } catch (second) {
      return new DownError(why, {
        ...parts(error),
        details: [...detailsOf(error), lost(`${host.name}: the ${what}`, second)],
      });
    }
    const Kind = this.#context.signal.aborted ? InterruptedError : RolledBackError;
    return new Kind(why, {
      ...parts(error),
      details: [...detailsOf(error), `${host.name}: the ${what} of before is back`],
    });
  }

  async #putBack({ Id, State: { Running: ran } }: ContainerDetails): Promise<void> {
    const engine = this.#engine;
    const { name } = this.#wanted;
    const { fresh, aside } = namesBeside(name);
    await removeOwn(engine, this.#wanted, fresh);
    if ((await engine.inspectContainer(aside))?.Id === Id) {
      await removeOwn(engine, this.#wanted, name);
      await engine.updateContainer(Id, { RestartPolicy: restartPolicies.serves });
      await engine.renameContainer(Id, name);
    }
    if (!ran) throw new LockageError('it did not run before');
    await engine.startContainer(Id);
    const mask = (text: string) => this.#context.mask(text);
    await this.#wanted.works(engine, { signal: new AbortController().signal, mask });
  }
}

/** Returns the mounts of volumes that nobody named, at places for which the next container has none of its own. */
export function namelessMounts(
  { Mounts }: Pick<ContainerDetails, 'Mounts'>,
  { HostConfig }: Pick<ContainerBody, 'HostConfig'>,
): { readonly Source: string; readonly Target: string }[] {
  const taken = new Set((HostConfig?.Mounts ?? []).map(({ Target }) => Target));
  return Mounts.filter(isNameless)
    .filter(({ Destination }) => !taken.has(Destination))
    .map(({ Name, Destination }) => ({ Source: Name, Target: Destination }));
}

function withMounts(body: ContainerBody, more: ReturnType<typeof namelessMounts>): ContainerBody {
  const mounts = more.map((mount) => ({ Type: 'volume', ...mount }));
  return {
    ...body,
    HostConfig: { ...body.HostConfig, Mounts: [...(body.HostConfig?.Mounts ?? []), ...mounts] as never },
  };
}

async function ownContainer(
  engine: Engine,
  place: Place & { readonly host: Target },
  name: string,
): Promise<ContainerDetails | undefined> {
  const found = await engine.inspectContainer(name);
  if (found && !isOwnedBy(found.Config.Labels, place)) {
    throw new LockageError(`${place.host.name}: a container named ${name} exists and is not of ${place.app}`, {
      hint: `Rename or remove it on ${place.host.name}, then run the same command again.`,
    });
  }
  return found;
}

function lost(what: string, error: unknown): string {
  if (error instanceof EngineError && error.status === undefined) return `${what} may be down: ${error.message}`;
  return `${what} is down, as the one before does not work either: ${messageOf(error)}`;
}

function parts(error: unknown) {
  const hint = error instanceof LockageError ? error.hint : undefined;
  return { details: detailsOf(error), ...(hint === undefined ? {} : { hint }), cause: error };
}

/** Returns the message without the host's name, with which ours begins already. */
function reasonOf({ name }: Target, error: unknown): string {
  const text = messageOf(error);
  return text.startsWith(`${name}: `) ? text.slice(name.length + 2) : text;
}
