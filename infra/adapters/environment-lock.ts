import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { LockedError, OvertakenError } from '../../pipelines/errors.ts';
import type { Environment } from '../../pipelines/model/environment.ts';
import { claimOver, type Turn } from '../../pipelines/model/fence.ts';
import type { EnvironmentRecord } from '../../pipelines/model/ledger.ts';
import type { FoundLock, LockHolder } from '../../pipelines/model/lock-holder.ts';
import { environmentNames } from '../../pipelines/model/names.ts';
import type { Host, Target } from '../../pipelines/model/target.ts';
import type { Session } from '../context/session.ts';
import { Edge } from '../edge/edge.ts';
import { settlingTime, type LockedPlace, type LockKeeper, type TakenLock } from '../hosts/lock-keeper.ts';
import { foundationStack, machinesStack } from '../pulumi/stack-names.ts';
import type { StackRunner } from '../pulumi/stack-runner.ts';
import type { RecordsAdapter } from './records.ts';

/** The things that environments' locks are made of. */
export interface LockDependencies {
  readonly app: string;
  readonly session: Session;
  readonly keeper: LockKeeper;
  readonly records: Pick<RecordsAdapter, 'environment' | 'seen'>;
  /** loads Pulumi, which is only needed where a lock is taken over */
  readonly stacks: () => Promise<Pick<StackRunner, 'cancelLocks'>>;
}

/** The locks of environments: on all their hosts, configured or recorded, with a fence against whoever is overtaken. */
export class EnvironmentLocks {
  readonly #dependencies: LockDependencies;

  constructor(dependencies: LockDependencies) {
    this.#dependencies = dependencies;
  }

  /** Takes an environment's lock. Whoever is overtaken is refused by its hosts from then on. Throws LockedError. */
  async take(environment: Environment, purpose: string): Promise<() => Promise<void>> {
    const { keeper, session } = this.#dependencies;
    const taken = await keeper.take(await this.#placeOf(environment), purpose);
    const [holder] = taken.overtaken;
    if (!holder) return () => taken.release();
    const whose = `${holder.actor} (${holder.purpose}), whose lease is over`;
    session.progress({ host: environment.name, step: 'take over', detail: `the lock of ${whose}` });
    await this.#fenceOff(environment, taken);
    return () => taken.release();
  }

  /** Returns who holds an environment's lock; undefined when nobody does. */
  async find(environment: Environment): Promise<FoundLock | undefined> {
    return this.#dependencies.keeper.find(await this.#placeOf(environment));
  }

  /**
   * Lifts a holder's lock, after the hosts have been told to refuse that one. Returns false, and lifts nothing, when
   * somebody else holds it by now.
   */
  async lift(environment: Environment, holder: LockHolder): Promise<boolean> {
    const { keeper } = this.#dependencies;
    try {
      const taken = await keeper.take(await this.#placeOf(environment), 'unlock', holder);
      await this.#fenceOff(environment, taken);
      await taken.release();
      return true;
    } catch (error) {
      if (error instanceof LockedError) return false;
      throw error;
    }
  }

  async #placeOf(environment: Environment): Promise<LockedPlace> {
    const record = await this.#dependencies.records.seen(environment.name);
    return { environment: environment.name, hosts: lockHosts(environment, record) };
  }

  /**
   * Has hosts refuse the former holder, and lifts what it left. Whoever held the lock may be alive: it is refused by
   * hosts, and Pulumi's lock of it, which would stay, is lifted.
   */
  async #fenceOff(environment: Environment, taken: TakenLock): Promise<void> {
    const { name } = environment;
    try {
      // It may be at work, and what it still lets Pulumi record must not come after what is read now.
      await sleep(settlingTime);
      const record = await this.#dependencies.records.environment(name);
      await this.#claim(name, record, taken.hosts);
      const stacks = await this.#dependencies.stacks();
      await stacks.cancelLocks([name, foundationStack(name), machinesStack(name)]);
    } catch (error) {
      await taken.release().catch(() => undefined);
      throw error;
    }
  }

  async #claim(environment: string, record: EnvironmentRecord, hosts: readonly Host[]): Promise<void> {
    const { app, session, keeper } = this.#dependencies;
    const { edge } = environmentNames(app, environment);
    const operation = randomUUID().slice(0, 8);
    const edges = hosts.map(async (host) => new Edge(await session.connections.engine(host), edge));
    let failures: readonly unknown[] = [];
    // The holder may claim them at the same time: then it is read once more what they have.
    for (let tries = 0; tries < 3; tries += 1) {
      const shown = await Promise.allSettled(edges.map(async (each) => (await (await each).show()).fence));
      const fences = shown.map((result) => (result.status === 'fulfilled' ? result.value : undefined));
      const turn = claimOver(operation, record, fences);
      const told = shown.map((result, index) => (result.status === 'fulfilled' ? edges[index] : undefined));
      keeper.claimed(turn);
      failures = await claimAll(told, turn);
      if (failures.length === 0) return;
    }
    // One that fails in another way is as one that does not answer: its holder cannot switch there either.
    if (failures.some((error) => error instanceof OvertakenError)) throw stillClaimed(environment);
  }
}

/** Returns what kept hosts that have an edge, and answer, from refusing others from now on. */
async function claimAll(edges: readonly (Promise<Edge> | undefined)[], turn: Turn): Promise<unknown[]> {
  const claimed = await Promise.allSettled(edges.map(async (edge) => (await edge)?.claim(turn)));
  return claimed.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
}

function stillClaimed(environment: string): LockedError {
  return new LockedError(`${environment} cannot be taken over: another operation claims its hosts at this moment`, {
    hint: `Run the same command again when that one has ended: \`lockage status --env ${environment}\` shows what it did.`,
  });
}

/** Returns the hosts that an environment's lock is on: those configured, and those where something recorded is in service. */
export function lockHosts(environment: Environment, record: EnvironmentRecord): Host[] {
  const away = new Set(record.ledger.cordons?.map(({ host }) => host));
  const recorded = record.containers.map(({ host }) => host).filter(({ name }) => !away.has(name));
  const all = [...recorded, ...environment.hosts].filter(isHost);
  // One that is configured may be reached in another way by now.
  return [...new Map(all.map((host) => [host.name, host])).values()];
}

function isHost(target: Target): target is Host {
  return target.kind === 'host';
}
