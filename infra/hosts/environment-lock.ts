import { setTimeout as sleep } from 'node:timers/promises';
import { LockageError, LockedError } from '../../pipelines/errors.ts';
import { isSameHolder, type FoundLock, type LockHolder } from '../../pipelines/model/lock-holder.ts';
import { environmentNames } from '../../pipelines/model/names.ts';
import { whenText } from '../../pipelines/text/moment.ts';
import type { CallOptions, Engine } from '../docker/api/client.ts';
import { ownerLabels } from '../docker/labels.ts';
import { isAlive } from '../system/is-alive.ts';
import { Elapsed } from './elapsed.ts';
import {
  isOfLock,
  lockLabels,
  mayTell,
  nextOf,
  overOf,
  overtaker,
  renewalOf,
  seenOf,
  standingLocks,
  type LockPicture,
  type LockVolume,
  type StandingLock,
} from './lock-volumes.ts';

/** The environment that a lock is for. */
export interface LockPlace {
  readonly app: string;
  readonly environment: string;
}

/** The lock that a command asks for: the same on every host. */
export interface WantedLock extends LockPlace {
  readonly holder: LockHolder;
  readonly token: string;
  /** milliseconds for which it counts without being renewed */
  readonly lease: number;
  /** somebody whose lock is taken even if its lease is not over */
  readonly evenOf?: LockHolder;
  /** called before a lock is taken over from somebody who may be alive: what it throws keeps it from that */
  readonly beforeTakeover?: () => Promise<void>;
}

/** Returns the environment's lock on a host; undefined when it is free. */
export async function findLock(
  engine: Engine,
  { app, environment }: LockPlace,
  options: CallOptions = {},
): Promise<FoundLock | undefined> {
  const { lock } = environmentNames(app, environment);
  const held = standingLocks(lock, await look(engine, lock, options)).map(foundLock);
  return held.find((each) => each && !isOver(each)) ?? held.find((each) => each !== undefined);
}

/** Returns whether a lease is over. */
export function isOver({ leaseLeft }: Pick<FoundLock, 'leaseLeft'>): boolean {
  return leaseLeft !== undefined && leaseLeft < 0;
}

function foundLock({ holder, lease }: StandingLock): FoundLock | undefined {
  return holder && { holder, ...(lease ? { leaseLeft: lease.left } : {}) };
}

/** An environment's lock on one host, held by this command. */
export class LockOnHost {
  readonly #engine: Engine;
  readonly #wanted: WantedLock;
  readonly #lock: string;
  /** it changes when the lock had to be taken again */
  #token: string;
  #renewals = 0;
  #renewed: Elapsed;
  #isReleased = false;
  /** those whose lease was over, by their tokens */
  readonly #overtaken = new Map<string, LockHolder>();

  private constructor(engine: Engine, wanted: WantedLock, taken: Elapsed) {
    this.#engine = engine;
    this.#wanted = wanted;
    this.#lock = environmentNames(wanted.app, wanted.environment).lock;
    this.#token = wanted.token;
    this.#renewed = taken;
  }

  /**
   * Takes an environment's lock on a host: it works for all operators of that host, whatever backend or machine they use.
   * One whose lease is over, or whose process was killed here, is taken over, which one alone can do. Throws LockedError.
   */
  static async take(engine: Engine, wanted: WantedLock): Promise<LockOnHost> {
    const taken = new LockOnHost(engine, wanted, new Elapsed());
    try {
      await taken.#take();
      return taken;
    } catch (error) {
      // A volume may exist all the same, and nothing would show that it is ours.
      await taken.withdraw().catch(() => undefined);
      throw error;
    }
  }

  /** Throws LockedError when somebody holds it on a host who may not be taken over. Changes nothing. */
  static async refuseHeld(engine: Engine, wanted: WantedLock): Promise<void> {
    const looking = new LockOnHost(engine, wanted, new Elapsed());
    const { others } = looking.#split(await looking.#look());
    for (const other of others) if (looking.#whyTaken(other) === undefined) throw await looking.#locked(other);
  }

  async #take(): Promise<void> {
    for (let attempt = 0; attempt < 5; attempt += 1) {
      await this.#create(this.#lock, this.#token);
      if (await this.#isAlone()) return;
      for (const other of this.#split(await this.#look()).others) await this.#takeFrom(other);
      if (await this.#isAlone()) return;
    }
    throw new LockedError(`the lock of ${this.#wanted.environment} cannot be taken`);
  }

  async #takeFrom(other: StandingLock): Promise<void> {
    const reason = this.#whyTaken(other);
    if (reason === undefined) throw await this.#locked(other);
    if (reason === 'over') await this.#wanted.beforeTakeover?.();
    await this.#create(nextOf(this.#lock, other.token), this.#token);
    if (other.holder && reason === 'over') this.#overtaken.set(other.token, other.holder);
  }

  /** Those whose lease was over when this was taken. */
  get overtaken(): LockHolder[] {
    return [...this.#overtaken.values()];
  }

  async #isAlone(): Promise<boolean> {
    const { mine, others } = this.#split(await this.#look());
    return others.length === 0 && mine.length > 0;
  }

  /**
   * Tells those whose lease was over: whoever sleeps hears of it when it wakes, however long this holding lasts. It ends
   * their commands, so it must not be said by one that is refused elsewhere.
   */
  async tell(): Promise<void> {
    for (const token of this.#overtaken.keys()) await this.#create(overOf(this.#lock, token), token);
  }

  /** Returns why a lock may be taken over; undefined: it may not. */
  #whyTaken({ holder, lease }: StandingLock): 'nobody' | 'dead' | 'over' | undefined {
    const { holder: here, evenOf } = this.#wanted;
    if (!holder) return 'nobody';
    if (isHere(holder, here) && !isAlive(holder.pid)) return 'dead';
    return (lease && lease.left < 0) || isSameHolder(holder, evenOf) ? 'over' : undefined;
  }

  async #locked(other: StandingLock): Promise<LockageError> {
    const { environment, holder: here } = this.#wanted;
    if (other.lease?.unseen) {
      const seen = seenOf(this.#lock, other.token, other.renewals);
      // One that is there is from before the clock went back once more.
      await this.#engine.removeVolume(seen);
      await this.#create(seen, other.token);
    }
    const { holder = nobody, lease } = other;
    return locked(environment, { holder, ...(lease ? { leaseLeft: lease.left } : {}) }, here);
  }

  /** Returns whether the lease is over, by the clocks of this computer: one of them stands still while it sleeps. */
  get isOver(): boolean {
    return this.#renewed.milliseconds() >= this.#wanted.lease;
  }

  /** Asks who has taken over; undefined when nobody says so. Throws when the host cannot be asked. */
  async overtaker(options: CallOptions = {}): Promise<LockHolder | undefined> {
    if (this.#isReleased) return undefined;
    return overtaker(this.#lock, this.#wanted.token, await this.#look(options));
  }

  /**
   * Renews the lease. Where that is over, or the lock was removed, it is taken again, as another one may take it too.
   * Returns the lock of whoever has it instead; undefined when it is held. Throws when the host cannot be asked.
   */
  async renew(options: CallOptions = {}): Promise<FoundLock | undefined> {
    if (this.#isReleased) return undefined;
    const sent = new Elapsed();
    const wasOver = this.isOver;
    // A volume that is there keeps its time: each try has a name of its own.
    this.#renewals += 1;
    if (!wasOver) await this.#create(renewalOf(this.#lock, this.#token, this.#renewals), this.#token, options);
    let picture = await this.#look(options);
    if (this.#isReleased) return undefined;
    const holder = overtaker(this.#lock, this.#wanted.token, picture);
    if (holder) return { holder };
    const { mine, others } = this.#split(picture);
    if (others.length === 0 && (wasOver || mine.length === 0)) {
      await this.#takeAgain(options);
      picture = await this.#look(options);
    } else if (others.length > 0 && mine.length > 0) {
      // One of the two withdraws, unless it has been taken over.
      await sleep(settling);
      picture = await this.#look(options);
    }
    return this.#confirmed(picture, sent, options);
  }

  async #takeAgain(options: CallOptions): Promise<void> {
    const before = this.#token;
    this.#token = `${this.#wanted.token}-${Date.now().toString(36)}`;
    this.#renewals = 0;
    await this.#create(nextOf(this.#lock, before), this.#token, options);
  }

  async #confirmed(picture: LockPicture, sent: Elapsed, options: CallOptions): Promise<FoundLock | undefined> {
    const { mine, others } = this.#split(picture);
    const [other] = others;
    if (other) return foundLock(other) ?? { holder: nobody };
    if (mine.length === 0) throw new LockageError(`the lock of ${this.#wanted.environment} was removed`);
    this.#renewed = sent;
    const last = renewalOf(this.#lock, this.#token, this.#renewals);
    const isEarlier = (name: string) => name.startsWith(`${this.#lock}.${this.#token}.`) && name !== last;
    const earlier = picture.volumes.map(({ name }) => name).filter(isEarlier);
    await Promise.all(earlier.map((name) => this.#engine.removeVolume(name, options)));
    return undefined;
  }

  /** Lets go of the lock, with all that earlier ones left. What somebody else holds by now stays. */
  async release(): Promise<void> {
    this.#isReleased = true;
    const picture = await this.#look();
    const { others } = this.#split(picture);
    const own = (name: string) => this.#isOwn(name, picture);
    const isLeft = (volume: LockVolume) => !own(volume.name) && !mayTell(volume, picture);
    const left = others.length > 0 ? [] : picture.volumes.filter(isLeft);
    // What was taken over goes first: without ours it would stand again.
    await this.#remove(left.map(({ name }) => name));
    await this.#remove(picture.volumes.map(({ name }) => name).filter(own));
  }

  /** Removes what this command has made of the lock, as if it had never asked: the lock that it took over stands again. */
  async withdraw(): Promise<void> {
    this.#isReleased = true;
    const picture = await this.#look();
    await this.#remove(picture.volumes.map(({ name }) => name).filter((name) => this.#isOwn(name, picture)));
  }

  #isOwn(name: string, { volumes }: LockPicture): boolean {
    const token = volumes.find((each) => each.name === name)?.labels[lockLabels.token] ?? '';
    return token.startsWith(this.#wanted.token);
  }

  async #remove(names: readonly string[]): Promise<void> {
    await Promise.all(names.map((name) => this.#engine.removeVolume(name)));
  }

  #split(picture: LockPicture): { mine: StandingLock[]; others: StandingLock[] } {
    const all = standingLocks(this.#lock, picture);
    const isMine = ({ token }: StandingLock) => token.startsWith(this.#wanted.token);
    return { mine: all.filter(isMine), others: all.filter((each) => !isMine(each)) };
  }

  #look(options: CallOptions = {}): Promise<LockPicture> {
    return look(this.#engine, this.#lock, options);
  }

  async #create(name: string, token: string, options: CallOptions = {}): Promise<void> {
    const { app, environment, holder, lease } = this.#wanted;
    const labels = {
      ...ownerLabels(app, environment, 'lock'),
      [lockLabels.token]: token,
      [lockLabels.holder]: JSON.stringify(holder),
      [lockLabels.lease]: String(lease / 1000),
    };
    await this.#engine.createVolume(name, { Labels: labels }, options);
  }
}

const nobody: LockHolder = { actor: 'somebody', machine: '', pid: 0, since: 'an unknown time', purpose: '' };

/** Milliseconds for one who came second to find that out, and to go. */
const settling = 500;

async function look(engine: Engine, lock: string, options: CallOptions): Promise<LockPicture> {
  const { volumes, now } = await engine.volumesNamed(lock, options);
  const of = volumes.filter(({ Name }) => isOfLock(lock, Name));
  return {
    volumes: of.map(({ Name, Labels, CreatedAt = '' }) => ({
      name: Name,
      createdAt: Date.parse(CreatedAt),
      labels: (Labels as Record<string, string> | null) ?? {},
    })),
    now,
  };
}

/**
 * Returns whether this process would see the other one if it were alive. A record of an earlier version names only the
 * machine.
 */
function isHere(other: LockHolder, here: LockHolder): boolean {
  return other.machine === here.machine && (other.pidSpace ?? here.pidSpace) === here.pidSpace;
}

function locked(environment: string, { holder, leaseLeft }: FoundLock, here: LockHolder): LockageError {
  const doubtful = holder.machine === here.machine && !isHere(holder, here);
  const machine = doubtful
    ? `${holder.machine}: another computer of that name, a container, or this one before it was restarted`
    : holder.machine;
  return new LockedError(
    `${environment} is locked by ${holder.actor} since ${whenText(holder.since)}: ${holder.purpose}`,
    { details: [`process ${holder.pid} on ${machine}`], hint: hintOf(environment, leaseLeft) },
  );
}

function hintOf(environment: string, leaseLeft: number | undefined): string {
  if (leaseLeft === undefined) {
    return `Try again when it has finished. If that process is gone for good: \`lockage unlock ${environment}\`.`;
  }
  const seconds = Math.max(1, Math.ceil(leaseLeft / 1000));
  return `Try again when it has finished, or wait for it with \`--wait\`. If that process is gone, anybody may take over in ${seconds} s; \`lockage unlock ${environment}\` lifts it at once.`;
}
