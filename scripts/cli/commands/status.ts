import type { Environment } from '../../../pipelines/model/environment.ts';
import { environmentNamed } from '../../../pipelines/model/pipeline.ts';
import { containersOf, environmentStatus } from '../../../pipelines/inspection/status.ts';
import type { Patience } from '../../../infra/hosts/query.ts';
import { observe } from '../../../infra/hosts/observe.ts';
import { environmentLines, overviewLines } from '../views/status.ts';
import { withWorld } from '../run-command.ts';
import type { LiveWorld } from '../open-context.ts';
import type { Flags } from '../options.ts';

/** A host that is at work, or emulated, is no dead one. */
const patience: Patience = { silent: 2000, slow: 10_000 };

/** `lockage status` */
export async function statusCommand(flags: Flags & { env?: string }, signal: AbortSignal): Promise<void> {
  await withWorld(flags, signal, async (world) => {
    await (flags.env === undefined ? showAll(world) : showOne(world, environmentNamed(world.project, flags.env)));
  });
}

async function showAll(world: LiveWorld): Promise<void> {
  const environments = await Promise.all(
    world.project.environments.map(async (environment) => {
      const record = await world.records.environment(environment.name);
      const [{ hosts, lock }, front] = await Promise.all([
        observe(world.connections, world.project.app, environment, record, { patience }),
        world.machines.front(environment),
      ]);
      return environmentStatus(environment, record, hosts, lock, front);
    }),
  );
  world.terminal.result({ app: world.project.app, environments }, overviewLines(environments, world.now()));
}

async function showOne(world: LiveWorld, environment: Environment): Promise<void> {
  const { app } = world.project;
  const record = await world.records.environment(environment.name);
  const [seen, front] = await Promise.all([
    observe(world.connections, app, environment, record, { patience, closely: true }),
    world.machines.front(environment),
  ]);
  const status = environmentStatus(environment, record, seen.hosts, seen.lock, front);
  const hosts = seen.hosts.map((view) => ({
    view,
    containers: view.error === undefined && !view.cordon ? containersOf(record, view) : [],
  }));
  const shown = hosts.map(({ view, containers }) => ({
    name: view.host.name,
    ...(view.error === undefined ? { engine: view.engine, routes: view.routes } : { error: view.error }),
    containers,
  }));
  world.terminal.result(
    { app, ...status, hosts: { ...status.hosts, list: shown } },
    environmentLines(status, hosts, world.now()),
  );
}
