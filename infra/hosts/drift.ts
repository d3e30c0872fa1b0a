import { differencesAmong } from '../../pipelines/hosts/parity.ts';
import { trafficDrift, type Drift, type HostDrift } from '../../pipelines/inspection/drift.ts';
import { hostsToAsk } from '../../pipelines/inspection/status.ts';
import type { Environment } from '../../pipelines/model/environment.ts';
import type { HostTraits } from '../../pipelines/model/host-traits.ts';
import type { EnvironmentRecord } from '../../pipelines/model/ledger.ts';
import { environmentNames } from '../../pipelines/model/names.ts';
import type { Connections } from '../docker/connections.ts';
import { askTraits } from '../workloads/container/host-report.ts';
import type { StandingRecord } from '../workloads/runtime.ts';
import { runtimeOf } from '../workloads/runtimes.ts';
import { queryHosts, type Timeouts } from './query.ts';

/** What is recorded of an environment: what its hosts are compared with. */
export interface Recorded {
  readonly record: EnvironmentRecord;
  readonly standing: StandingRecord;
}

/** Asks all hosts at once what is not as it is recorded. Never throws for a host. A cordoned one is not asked. */
export async function findDrift(
  connections: Connections,
  app: string,
  environment: Environment,
  { record, standing }: Recorded,
  timeouts: Timeouts,
): Promise<HostDrift[]> {
  const place = { app, environment: environment.name };
  const { edge } = environmentNames(app, environment.name);
  const cordoned = new Set((record.ledger.cordons ?? []).map(({ host }) => host));
  const recorded = new Set(record.containers.map(({ host }) => host.name));
  // A machine that is still to be made has nothing that could have drifted.
  const asked = hostsToAsk(environment, record).filter(
    ({ name, kind }) => !cordoned.has(name) && (kind !== 'pending' || recorded.has(name)),
  );
  const found = await queryHosts(asked, timeouts, async (target, signal, heard) => {
    const engine = await connections.engine(target);
    heard();
    const runtime = runtimeOf(target);
    const [drift, view, told] = await Promise.all([
      runtime.drift(engine, { ...place, record, standing, signal }),
      runtime.view(engine, { ...place, record, detailed: false, signal }),
      target.kind === 'host' && environment.same.length > 0 ? askTraits(engine, environment.same) : undefined,
    ]);
    return { drift: [...drift, ...trafficDrift(edge, record, view)], ...(told ? { traits: told.traits } : {}) };
  });
  const traits = found.flatMap(({ host, ...told }): HostTraits[] =>
    'answer' in told && told.answer.traits
      ? [{ environment: environment.name, host: host.name, traits: told.answer.traits }]
      : [],
  );
  const unlike = parityDrift(traits, environment.same);
  return found.map(({ host, ...told }) => {
    if (!('answer' in told)) return { host, ...told };
    return { host, drift: [...told.answer.drift, ...unlike.filter(({ what }) => what === host.name)] };
  });
}

/** Returns which hosts are not like most of their environment in what has to be the same. */
export function parityDrift(hosts: readonly HostTraits[], same: Environment['same']): Drift[] {
  return differencesAmong(hosts, same).flatMap(({ trait, values: [most, ...others] }) =>
    others.flatMap(({ value, hosts: unlike }) =>
      unlike.map((what) => ({ what, member: trait, expected: most?.value ?? '', actual: value })),
    ),
  );
}
