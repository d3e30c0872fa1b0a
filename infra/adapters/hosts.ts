import { LockageError, messageOf, PartialError } from '../../pipelines/errors.ts';
import { restsAsStandby } from '../../pipelines/model/container-spec.ts';
import { onActiveHosts } from '../../pipelines/model/cordons.ts';
import type { DesiredState, PlacedContainer } from '../../pipelines/model/desired-state.ts';
import type { Environment } from '../../pipelines/model/environment.ts';
import type { ClockAnswer, PreflightReport, HostReport } from '../../pipelines/model/host-report.ts';
import type { HostTraits, Trait } from '../../pipelines/model/host-traits.ts';
import type { FoundLock, LockHolder } from '../../pipelines/model/lock-holder.ts';
import type { KeptRecord } from '../../pipelines/model/record-copy.ts';
import type { Release } from '../../pipelines/model/release.ts';
import type { EnvironmentHost, Orchestrator, Target } from '../../pipelines/model/target.ts';
import type { Hosts, ServingAnswer } from '../../pipelines/operations/ports/hosts.ts';
import { providerContext, type Session } from '../context/session.ts';
import type { Engine } from '../docker/api/client.ts';
import type { PullProgress } from '../docker/api/types.ts';
import { hostRoutes, idleRoutes } from '../edge/host-routes.ts';
import { allOf } from '../hosts/all-hosts.ts';
import { clockOn } from '../hosts/facts.ts';
import { ensureImage, removeUnusedImages } from '../hosts/images.ts';
import { keptRecords } from '../hosts/kept-record.ts';
import { queryHosts, type Timeouts } from '../hosts/query.ts';
import { servingAnswers } from '../hosts/serving-answers.ts';
import { rehearseSwitch } from '../provider/rehearse.ts';
import { switchRoutes } from '../provider/switch-routes.ts';
import type { RegistryClient } from '../registry/client.ts';
import { askTraits } from '../workloads/container/host-report.ts';
import type { Survey } from '../workloads/runtime.ts';
import { runtimeOf, workloadFor } from '../workloads/runtimes.ts';
import type { EnvironmentLocks } from './environment-lock.ts';

/** The time that hosts have to say what time it is. */
const clockTimeouts: Timeouts = { first: 5000, total: 10_000 };

/** The hosts of an environment, queried and changed all at once. */
export class HostsAdapter implements Hosts {
  readonly #app: string;
  readonly #session: Session;
  readonly #registry: RegistryClient;
  readonly #locks: EnvironmentLocks;

  constructor(app: string, session: Session, registry: RegistryClient, locks: EnvironmentLocks) {
    this.#app = app;
    this.#session = session;
    this.#registry = registry;
    this.#locks = locks;
  }

  lock(environment: Environment, purpose: string): Promise<() => Promise<void>> {
    return this.#locks.take(environment, purpose);
  }

  lockHolder(environment: Environment): Promise<FoundLock | undefined> {
    return this.#locks.find(environment);
  }

  liftLock(environment: Environment, holder: LockHolder): Promise<boolean> {
    return this.#locks.lift(environment, holder);
  }

  async checkLock(): Promise<void> {
    await this.#session.lock?.check();
  }

  async look(environment: Environment): Promise<readonly HostReport[]> {
    return this.#reports(environment, (target, survey) => runtimeOf(target).report(survey));
  }

  kept({ name }: Environment, targets: readonly Target[]): Promise<readonly KeptRecord[]> {
    return keptRecords(this.#session.connections, { app: this.#app, environment: name }, targets);
  }

  async preflight(environment: Environment, wanted: readonly Trait[] = []): Promise<readonly PreflightReport[]> {
    return this.#reports(environment, (target, survey) => runtimeOf(target).preflight(survey, wanted));
  }

  /** Returns the reports of all hosts, asked at once, and after them the report of the orchestrator. */
  async #reports<T extends HostReport>(
    environment: Environment,
    ask: (target: Target, survey: Survey) => Promise<T>,
  ): Promise<T[]> {
    const { orchestrator } = environment;
    const survey = { connections: this.#session.connections, app: this.#app, environment };
    const found = await this.#ofAll(environment, async (host, engine) => {
      if (orchestrator) await refuseStranger(orchestrator, host, engine);
      return ask(host, { ...survey, hosts: [] });
    });
    return orchestrator ? [...found, await ask(orchestrator, { ...survey, hosts: found })] : found;
  }

  async #ofAll<T>(environment: Environment, ask: (host: EnvironmentHost, engine: Engine) => Promise<T>): Promise<T[]> {
    const { hosts, name } = environment;
    const connected = await this.#session.connections.connectAll(hosts);
    const reports = await Promise.allSettled(
      connected.map(async (found) => {
        if ('error' in found) throw found.error;
        return ask(found.host, found.engine);
      }),
    );
    return allOf(hosts, reports, (failed) => `${failed} of ${hosts.length} hosts of ${name} cannot be used`);
  }

  async traits(environment: Environment, wanted: readonly Trait[]): Promise<readonly HostTraits[]> {
    const { hosts, name } = environment;
    const found = await Promise.allSettled(
      (await this.#session.connections.connectAll(hosts)).map(async (connected): Promise<HostTraits> => {
        if ('error' in connected) throw connected.error;
        const { traits } = await askTraits(connected.engine, wanted);
        return { environment: name, host: connected.host.name, traits };
      }),
    );
    return allOf(hosts, found, (failed) => `${failed} of ${hosts.length} hosts of ${name} cannot be compared with`);
  }

  async clocks({ hosts }: Environment): Promise<readonly ClockAnswer[]> {
    const { connections } = this.#session;
    const found = await queryHosts(hosts, clockTimeouts, async (host, signal, heard) => {
      const engine = await connections.engine(host);
      heard();
      return clockOn(engine, signal);
    });
    return found.map((each) => {
      const host = each.host.name;
      if ('error' in each) return { host, error: each.error };
      return each.answer ? { host, ...each.answer } : { host, error: 'its engine does not tell' };
    });
  }

  async pull(environment: Environment, release: Release): Promise<Readonly<Record<string, number>>> {
    const moved = await Promise.allSettled(
      environment.hosts.map(async (host) => {
        const onProgress = ({ layer, current = 0, total = 0 }: PullProgress) =>
          this.#session.progress({ host: host.name, step: 'pull', layer: { id: layer, current, total } });
        const dependencies = { session: this.#session, registry: this.#registry, onProgress };
        const bytes = await ensureImage(dependencies, environment, host, release);
        this.#session.progress({ host: host.name, step: 'pulled', bytes });
        return [host.name, bytes] as const;
      }),
    );
    this.#session.signal.throwIfAborted();
    const { hosts } = environment;
    const what = (failed: number) =>
      `release ${release.version} cannot be pulled on ${failed} of ${hosts.length} hosts`;
    return Object.fromEntries(allOf(hosts, moved, what));
  }

  async forgetImages(environment: Environment, repository: string, unneeded: ReadonlySet<string>): Promise<void> {
    await Promise.allSettled(
      environment.hosts.map(async (host) => {
        await removeUnusedImages(await this.#session.connections.engine(host), repository, unneeded);
      }),
    );
  }

  async switchNow(desired: DesiredState): Promise<void> {
    const { app, environment, operation } = desired;
    const turn = this.#session.lock?.turnOf(desired.turn) ?? desired.turn;
    const hosts = hostRoutes(desired);
    await switchRoutes(providerContext(this.#session, false), { app, environment, operation, turn, hosts, guard: 0 });
  }

  async closeIdle(desired: DesiredState): Promise<boolean> {
    const { app, environment, operation } = desired;
    const hosts = idleRoutes(desired);
    if (hosts.length === 0) return false;
    const turn = this.#session.lock?.turnOf(desired.turn) ?? desired.turn;
    await switchRoutes(providerContext(this.#session, false), { app, environment, operation, turn, hosts, guard: 0 });
    return true;
  }

  async rehearse(desired: DesiredState): Promise<void> {
    const { app, environment, operation, turn, ledger, serving } = desired;
    const containers = onActiveHosts(ledger, serving).filter(({ spec }) => !restsAsStandby(spec));
    const rehearsal = { app, environment, operation, turn, hosts: hostRoutes(desired), containers };
    await rehearseSwitch(providerContext(this.#session, true), rehearsal);
  }

  async startAndStop(
    environment: Environment,
    start: readonly PlacedContainer[],
    stop: readonly PlacedContainer[],
  ): Promise<void> {
    const context = providerContext(this.#session, false);
    const place = { app: this.#app, environment: environment.name };
    const workload = (placed: PlacedContainer) => workloadFor(context, { ...place, ...placed });
    // To its end on every host: what is asked afterwards must not meet work under way.
    const results = await Promise.allSettled([
      ...start.map((placed) => workload(placed).start()),
      ...stop.map((placed) => workload(placed).stop()),
    ]);
    const failed = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
    if (failed.length <= 1) {
      if (failed.length === 1) throw failed[0];
      return;
    }
    throw new PartialError(`${failed.length} of ${results.length} containers did not start or stop`, {
      details: failed.map(messageOf),
      cause: failed[0],
    });
  }

  serving(state: DesiredState): Promise<readonly ServingAnswer[]> {
    return servingAnswers(this.#session.connections, state);
  }

  async removeOthers(environment: Environment, recorded: readonly PlacedContainer[]) {
    const place = { app: this.#app, environment: environment.name };
    const removeOthersOn = (target: Target) => {
      const kept = recorded.filter(({ host }) => host.name === target.name).map(({ spec }) => spec.name);
      return runtimeOf(target).removeOthers(this.#session, place, new Set(kept));
    };
    const atWork = await Promise.all(environment.hosts.map(removeOthersOn));
    if (environment.orchestrator) await removeOthersOn(environment.orchestrator);
    return atWork.flat();
  }
}

/** Throws LockageError when a host cannot speak for the orchestrator now, or does not belong to it. */
async function refuseStranger(orchestrator: Orchestrator, host: EnvironmentHost, engine: Engine): Promise<void> {
  const found = await runtimeOf(orchestrator).hostProblem(engine);
  if (found) throw new LockageError(`${host.name}: ${found.problem}`, { hint: found.hint });
}
