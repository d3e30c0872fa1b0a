import type { HostView, LockView } from '../../pipelines/inspection/observation.ts';
import { hostsToAsk } from '../../pipelines/inspection/status.ts';
import type { Environment } from '../../pipelines/model/environment.ts';
import type { EnvironmentRecord } from '../../pipelines/model/ledger.ts';
import type { FoundLock } from '../../pipelines/model/lock-holder.ts';
import type { Target } from '../../pipelines/model/target.ts';
import type { Connections } from '../docker/connections.ts';
import { runtimeOf } from '../workloads/runtimes.ts';
import { findLock, isOver } from './environment-lock.ts';
import { queryHosts, type Timeouts } from './query.ts';

/** The state of an environment, as its hosts report it. */
export interface Observation {
  readonly hosts: readonly HostView[];
  readonly lock?: LockView;
}

export interface ObserveOptions {
  /** for each host */
  readonly timeouts: Timeouts;
  /** also ask each container since when it runs */
  readonly detailed?: boolean;
}

/** Asks all hosts of an environment at once. Never throws for a host: one that does not answer says why. */
export async function observe(
  connections: Connections,
  app: string,
  environment: Environment,
  record: EnvironmentRecord,
  options: ObserveOptions,
): Promise<Observation> {
  const locks: FoundLock[] = [];
  const look = { app, environment: environment.name, record, detailed: options.detailed ?? false };
  const ask = async (target: Target, signal: AbortSignal, heard: () => void): Promise<HostView> => {
    const engine = await connections.engine(target);
    heard();
    const [view] = await Promise.all([
      runtimeOf(target).view(engine, { ...look, signal }),
      target.kind === 'host' ? findLock(engine, look, { signal }).then((lock) => lock && locks.push(lock)) : undefined,
    ]);
    return view;
  };
  const cordonOf = (host: Target) => record.ledger.cordons?.find((each) => each.host === host.name);
  const all = hostsToAsk(environment, record);
  const asked = await queryHosts(
    all.filter((host) => !cordonOf(host)),
    options.timeouts,
    ask,
  );
  const views = all.map((host): HostView => {
    const cordon = cordonOf(host);
    if (cordon) return { host, cordon, containers: [] };
    const found = asked.find((each) => each.host.name === host.name);
    return found && 'answer' in found ? found.answer : { host, ...found, containers: [] };
  });
  const hosts = views.map((view): HostView => {
    const error = runtimeOf(view.host).silence(view, views);
    return error === undefined ? view : { ...view, error };
  });
  const lock = locks.find((each) => !isOver(each)) ?? locks[0];
  return { hosts, ...(lock ? { lock: lockView(lock) } : {}) };
}

function lockView({ holder, leaseLeft }: FoundLock): LockView {
  return { ...holder, ...(leaseLeft === undefined ? {} : { leaseLeft }) };
}
