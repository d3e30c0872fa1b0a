import { trafficDrift, type HostDrift } from '../../pipelines/inspection/drift.ts';
import { hostsToAsk } from '../../pipelines/inspection/status.ts';
import type { Environment } from '../../pipelines/model/environment.ts';
import type { EnvironmentRecord } from '../../pipelines/model/ledger.ts';
import { environmentNames } from '../../pipelines/model/names.ts';
import type { Connections } from '../docker/connections.ts';
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
  const asked = hostsToAsk(environment, record).filter(({ name }) => !cordoned.has(name));
  const found = await queryHosts(asked, timeouts, async (target, signal, heard) => {
    const engine = await connections.engine(target);
    heard();
    const runtime = runtimeOf(target);
    const [drift, view] = await Promise.all([
      runtime.drift(engine, { ...place, record, standing, signal }),
      runtime.view(engine, { ...place, record, detailed: false, signal }),
    ]);
    return [...drift, ...trafficDrift(edge, record, view)];
  });
  return found.map(({ host, ...told }) => ('answer' in told ? { host, drift: told.answer } : { host, ...told }));
}
