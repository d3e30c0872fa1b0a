import { clockOn } from '../../../infra/hosts/facts.ts';
import { observe } from '../../../infra/hosts/observe.ts';
import { queryHosts } from '../../../infra/hosts/query.ts';
import { LockageError } from '../../../pipelines/errors.ts';
import { withoutCordoned, withoutPending } from '../../../pipelines/model/cordons.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import type { EnvironmentRecord } from '../../../pipelines/model/ledger.ts';
import { upstream } from '../../../pipelines/model/pipeline.ts';
import type { Host } from '../../../pipelines/model/target.ts';
import { neededReleases, readiness, type Answer, type ReadinessFacts } from '../../../pipelines/planning/readiness.ts';
import { refuseForeignProject, refuseUnlike, traitsBefore } from '../../../pipelines/operations/steps/preflight.ts';
import { refuseAhead } from '../../../pipelines/policy/fence.ts';
import { jobsBefore } from '../../../pipelines/policy/verification.ts';
import { checking, type Check } from '../check.ts';
import type { CommandContext } from '../open-context.ts';

/** A host that is busy is not dead. */
const timeouts = { first: 5000, total: 20_000 };

/** Checks whether an environment could be changed, and be taken back, now. */
export async function readinessChecks(context: CommandContext, environment: Environment): Promise<readonly Check[]> {
  return checking('promote', async () => readiness(await factsOf(context, environment)).map(checkOf));
}

function checkOf({ question, level, text, details, hint }: Answer): Check {
  return { name: question, level, text, ...(details ? { details } : {}), ...(hint ? { hint } : {}) };
}

async function factsOf(context: CommandContext, environment: Environment): Promise<ReadinessFacts> {
  const { records, connections, project, now } = context;
  const [record, releases, blocks] = await Promise.all([
    records.environment(environment.name),
    records.releases(),
    records.blocks(),
  ]);
  const before = upstream(project, environment).map(
    async ({ name }) => [name, await records.environment(name)] as const,
  );
  const active = withoutPending(withoutCordoned(environment, record.ledger));
  const hosts = active.hosts.filter((each): each is Host => each.kind === 'host');
  const [seen, upstreamed, images, registry, clocks] = await Promise.all([
    observe(connections, project.app, withoutPending(environment), record, { timeouts }),
    Promise.all(before),
    imagesOn(context, environment, hosts, record),
    inRegistry(context, record),
    queryHosts(hosts, timeouts, async (host, signal, heard) => {
      const engine = await connections.engine(host);
      heard();
      return { clock: await clockOn(engine, signal), certificates: engine.certificates };
    }),
  ]);
  const isSilent = seen.hosts.some(({ error }) => error !== undefined);
  const obstacle = isSilent || hosts.length === 0 ? undefined : await obstacleOf(context, active, record);
  const told = clocks.flatMap((each) => ('answer' in each ? [{ host: each.host.name, ...each.answer }] : []));
  return {
    ...{ environment, record, releases, blocks, images, registry, now: now() },
    upstream: Object.fromEntries(upstreamed),
    jobs: jobsBefore(project, environment),
    views: seen.hosts,
    ...(obstacle ? { obstacle } : {}),
    ...(seen.lock ? { lock: seen.lock } : {}),
    clocks: told.flatMap(({ host, clock }) => (clock ? [{ host, ...clock }] : [])),
    certificates: told,
  };
}

/** Asks hosts what they refuse a change for, as the change itself does. */
async function obstacleOf(
  context: CommandContext,
  environment: Environment,
  record: EnvironmentRecord,
): Promise<ReadinessFacts['obstacle']> {
  let stopsRollback = true;
  try {
    const reports = await context.hosts.preflight(environment, environment.same);
    refuseAhead(environment, record, reports);
    await refuseForeignProject(context, environment, record, reports);
    stopsRollback = false;
    refuseUnlike(environment, reports, await traitsBefore(context, environment));
    return undefined;
  } catch (error) {
    if (!(error instanceof LockageError)) throw error;
    const { message: text, details, hint } = error;
    return { stopsRollback, text, details, ...(hint === undefined ? {} : { hint }) };
  }
}

async function imagesOn(
  { storage }: CommandContext,
  environment: Environment,
  hosts: readonly Host[],
  record: EnvironmentRecord,
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const repositories = [...new Set(neededReleases(record).map(({ repository }) => repository))];
  const found = await storage.onHosts(environment, hosts, repositories);
  return new Map(
    found.flatMap((each) =>
      'error' in each ? [] : [[each.host.name, new Set(each.images.flatMap(({ digests }) => digests))] as const],
    ),
  );
}

async function inRegistry(
  { registryClient }: CommandContext,
  record: EnvironmentRecord,
): Promise<ReadinessFacts['registry']> {
  const wanted = neededReleases(record);
  try {
    const has = await Promise.all(wanted.map(({ repository, digest }) => registryClient.exists(repository, digest)));
    return new Set(wanted.filter((_, index) => has[index]).map(({ digest }) => digest));
  } catch (error) {
    if (error instanceof LockageError) return { error: error.message };
    throw error;
  }
}
