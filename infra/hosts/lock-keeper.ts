import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { LockageError, LockedError, OvertakenError } from '../../pipelines/errors.ts';
import { withClaim, type Turn } from '../../pipelines/model/fence.ts';
import type { FoundLock, LockHolder } from '../../pipelines/model/lock-holder.ts';
import type { Host } from '../../pipelines/model/target.ts';
import { whenText } from '../../pipelines/text/moment.ts';
import type { HeldLock } from '../context/held-lock.ts';
import type { Engine } from '../docker/api/client.ts';
import type { Connections } from '../docker/connections.ts';
import { thisProcess } from '../system/this-process.ts';
import { Elapsed } from './elapsed.ts';
import { findLock, isOver, LockOnHost } from './environment-lock.ts';

/** The holder of locks, and how long they count. */
export interface LockKeeperOptions {
  readonly app: string;
  /** `user@machine` */
  readonly actor: string;
  readonly connections: Connections;
  /** milliseconds */
  readonly lease: number;
}

/** An environment with the hosts that its lock is on. */
export interface LockedPlace {
  readonly environment: string;
  readonly hosts: readonly Host[];
}

/** A lock that was taken. */
export interface TakenLock {
  /** the hosts that have it; those that do not answer have none */
  readonly hosts: readonly Host[];
  /** whose lease was over */
  readonly overtaken: readonly LockHolder[];
  release(): Promise<void>;
}

/** A host that answers, and what names its engine for everybody. */
interface Answering {
  readonly host: Host;
  readonly engine: Engine;
  readonly id: string;
}

interface Held {
  readonly environment: string;
  readonly host: Host;
  readonly lock: LockOnHost;
}

/** Milliseconds that a host has to answer once another one has. */
const pause = 5000;

/** Milliseconds for which it counts that nobody had taken over. */
const freshness = 1000;
/** Milliseconds that a host has to say whether somebody has. */
const longestAnswer = 2000;
/** Milliseconds after which whoever was overtaken does nothing more, and lets Pulumi record nothing more, if it is not asleep. */
export const settlingTime = 2 * freshness + longestAnswer;

/**
 * The environment's lock of one command, on all hosts that answer: any two operators who share one of them meet there. It is
 * taken on the first in an order that is the same for everybody, and then on the others at once, so that of two who begin
 * together one goes on. Its lease is renewed until it is released.
 */
export class LockKeeper implements HeldLock {
  readonly #options: LockKeeperOptions;
  readonly #listeners = new Set<(error: Error) => void>();
  readonly #token = randomUUID();
  #held: readonly Held[] = [];
  #lost: OvertakenError | undefined;
  #claim: Turn | undefined;
  #renewing: Promise<void> | undefined;
  #asking: Promise<void> | undefined;
  #asked = new Elapsed();
  #timers: readonly NodeJS.Timeout[] = [];

  constructor(options: LockKeeperOptions) {
    this.#options = options;
  }

  /**
   * Takes the lock on all hosts that answer, also that of somebody whose lease is over, and on hosts that do not have it yet
   * where this command holds it on others. Throws LockedError, or what keeps every host from answering.
   */
  async take(place: LockedPlace, purpose: string, evenOf?: LockHolder): Promise<TakenLock> {
    const { app, actor, lease } = this.#options;
    const holder = { actor, ...(await thisProcess()), since: new Date().toISOString(), purpose };
    const { environment } = place;
    const asked = { app, environment, holder, token: this.#token, lease, ...(evenOf ? { evenOf } : {}) };
    const answering = await this.#answering(place.hosts.filter(({ name }) => !this.#isHeld(name, environment)));
    // Who renews it on one host must not be disturbed on another one, where it could not.
    const wanted = {
      ...asked,
      beforeTakeover: () => onEach(answering, (each) => LockOnHost.refuseHeld(each.engine, asked)),
    };
    const taken: Held[] = [];
    const takeOn = async ({ engine, host }: Answering) => {
      taken.push({ environment, host, lock: await LockOnHost.take(engine, wanted) });
    };
    try {
      const [first, ...others] = answering;
      if (first) await takeOn(first);
      await onEach(others, takeOn);
      await Promise.all(taken.map(({ lock }) => lock.tell()));
    } catch (error) {
      await Promise.allSettled(taken.map(({ lock }) => lock.withdraw()));
      throw error;
    }
    this.#keep(taken);
    const overtaken = taken.flatMap(({ lock }) => lock.overtaken);
    return { hosts: taken.map(({ host }) => host), overtaken, release: () => this.#release(taken) };
  }

  /** Returns the lock as the hosts have it; undefined when it is free. Throws what keeps every host from answering. */
  async find({ environment, hosts }: LockedPlace): Promise<FoundLock | undefined> {
    const { app } = this.#options;
    const answering = await this.#answering(hosts);
    const asked = await Promise.all(answering.map(({ engine }) => findLock(engine, { app, environment })));
    const found = asked.filter((lock) => lock !== undefined);
    return found.find((lock) => !isOver(lock)) ?? found[0];
  }

  /** Returns the hosts that answer, in the order in which everybody locks them. */
  async #answering(hosts: readonly Host[]): Promise<Answering[]> {
    if (hosts.length === 0) return [];
    const asked = hosts.map(async (host): Promise<Answering> => {
      const engine = await this.#options.connections.engine(host);
      return { host, engine, id: await engine.id() };
    });
    const slow = async () => {
      await Promise.any(asked).catch(() => undefined);
      await sleep(pause, undefined, { ref: false });
      throw new LockageError('does not answer');
    };
    const late = slow();
    const results = await Promise.allSettled(asked.map((each) => Promise.race([each, late])));
    late.catch(() => undefined);
    const answering = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    const [failed] = results;
    if (answering.length === 0 && failed?.status === 'rejected') throw failed.reason;
    return answering.toSorted((a, b) => compare(a.id, b.id) || compare(a.host.name, b.host.name));
  }

  #keep(taken: readonly Held[]): void {
    this.#held = [...this.#held, ...taken];
    this.#asked = new Elapsed();
    if (this.#timers.length > 0) return;
    this.#timers = [setInterval(() => void this.#renewAll(), this.#options.lease / 3).unref(), this.#whenAwake()];
  }

  /** Has it asked at once whether somebody has taken over when this computer was asleep, or this process was stopped. */
  #whenAwake(): NodeJS.Timeout {
    let last = new Elapsed();
    const pulse = () => {
      if (last.milliseconds() > 3 * freshness) this.check().catch(() => undefined);
      last = new Elapsed();
    };
    return setInterval(pulse, freshness).unref();
  }

  async #release(taken: readonly Held[]): Promise<void> {
    this.#held = this.#held.filter((each) => !taken.includes(each));
    if (this.#held.length === 0) {
      for (const timer of this.#timers) clearInterval(timer);
      this.#timers = [];
    }
    // One that no host answers must not keep a command from ending.
    await Promise.race([this.#renewing, sleep(2000, undefined, { ref: false })]);
    await releaseAll(taken);
  }

  /** Notes the claim that hosts have of this command, from when it took the lock over. */
  claimed(turn: Turn): void {
    this.#claim = turn;
  }

  turnOf(turn: Turn): Turn {
    return this.#claim ? withClaim(turn, this.#claim) : turn;
  }

  holdsOn(host: string): boolean {
    return this.#held.some((each) => each.host.name === host);
  }

  #isHeld(host: string, environment: string): boolean {
    return this.#held.some((each) => each.host.name === host && each.environment === environment);
  }

  onLost(stop: (error: Error) => void): () => void {
    if (this.#lost) stop(this.#lost);
    this.#listeners.add(stop);
    return () => this.#listeners.delete(stop);
  }

  async check(): Promise<void> {
    // What was on its way while this computer slept says nothing about now. One host that does not answer is no reason to
    // ask: each step would wait for it.
    const isDue = () => !this.#lost && this.#silent() !== undefined;
    for (let tries = 0; tries < 2 && isDue(); tries += 1) await this.#renewAll();
    const isStale = () => !this.#lost && this.#asked.milliseconds() >= freshness;
    for (let tries = 0; tries < 2 && isStale(); tries += 1) await this.#askAll();
    if (this.#lost) throw this.#lost;
    const error = this.#unconfirmed();
    if (error) throw error;
  }

  #askAll(): Promise<void> {
    this.#asking ??= this.#ask().finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  /**
   * Asks whether somebody has taken over, as a person may with `unlock` while the lease holds. All hosts are told that, so the
   * first one that answers is enough. None that does says nothing: then the lease decides.
   */
  async #ask(): Promise<void> {
    const sent = new Elapsed();
    const ask = async ({ environment, lock }: Held) => {
      const holder = await lock.overtaker({ deadline: longestAnswer });
      if (holder) this.#lose(overtakenBy(environment, holder));
    };
    const environments = new Set(this.#held.map(({ environment }) => environment));
    const asked = [...environments].map((name) =>
      Promise.any(this.#held.filter(({ environment }) => environment === name).map(ask)),
    );
    const results = await Promise.allSettled(asked);
    const isAnswered = results.every(({ status }) => status === 'fulfilled');
    this.#asked = isAnswered ? sent : new Elapsed();
  }

  #renewAll(): Promise<void> {
    this.#renewing ??= this.#renew().finally(() => (this.#renewing = undefined));
    return this.#renewing;
  }

  async #renew(): Promise<void> {
    // Nothing is renewed, or taken again, of a lock that somebody else has on one host.
    if (this.#lost) return;
    const deadline = Math.min(10_000, this.#options.lease / 3);
    // A host that does not answer may do so the next time.
    const renewals = this.#held.map(async ({ environment, lock }) => {
      const other = await lock.renew({ deadline });
      if (other) this.#lose(overtakenBy(environment, other.holder));
    });
    await Promise.allSettled(renewals);
    const error = this.#lost ? undefined : this.#unconfirmed();
    if (error) for (const stop of this.#listeners) stop(error);
  }

  #lose(error: OvertakenError): void {
    if (this.#lost) return;
    this.#lost = error;
    for (const stop of this.#listeners) stop(error);
  }

  /**
   * Returns an error where no host has said for as long as the lease that the lock is held: somebody else may have
   * it.
   */
  #unconfirmed(): LockageError | undefined {
    const environment = this.#silent();
    if (environment === undefined) return undefined;
    return new LockageError(`no host of ${environment} says whether this command still holds the lock`, {
      details: [`its lease of ${this.#options.lease / 1000} s is over: somebody else may have taken it`],
      hint: `Run \`lockage status --env ${environment}\` when the hosts answer, then the same command again.`,
    });
  }

  /** Returns an environment of which no host has confirmed the lock within its lease; undefined when there is none. */
  #silent(): string | undefined {
    const isOverOn = (environment: string) =>
      this.#held.filter((each) => each.environment === environment).every(({ lock }) => lock.isOver);
    return this.#held.map(({ environment }) => environment).find(isOverOn);
  }
}

/**
 * Works on each host. Throws when somebody else holds one of them; a host that fails in any other way is found out
 * where it is needed.
 */
async function onEach(hosts: readonly Answering[], work: (each: Answering) => Promise<void>): Promise<void> {
  const results = await Promise.allSettled(hosts.map(work));
  const reasons = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  const locked = reasons.find((reason) => reason instanceof LockedError);
  if (locked) throw locked;
}

async function releaseAll(taken: readonly Held[]): Promise<void> {
  const results = await Promise.allSettled(taken.map(({ lock }) => lock.release()));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}

function overtakenBy(environment: string, holder: LockHolder): OvertakenError {
  const { actor, since, purpose, pid, machine } = holder;
  return new OvertakenError(`another operation has taken over ${environment}`, {
    details: [`${actor} since ${whenText(since)}: ${purpose} (process ${pid} on ${machine})`],
    hint: `Run \`lockage status --env ${environment}\` to see what it did, then the same command again.`,
  });
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
