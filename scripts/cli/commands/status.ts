import type { Environment } from '../../../pipelines/model/environment.ts';
import { environmentNamed } from '../../../pipelines/model/pipeline.ts';
import { containersOf, environmentStatus } from '../../../pipelines/inspection/status.ts';
import type { Timeouts } from '../../../infra/hosts/query.ts';
import { observe } from '../../../infra/hosts/observe.ts';
import { environmentLines, overviewLines } from '../views/status.ts';
import { runCommand } from '../run-command.ts';
import type { CommandContext } from '../open-context.ts';
import type { Flags } from '../options.ts';

/** A host that is busy, or emulated, is not dead. */
const timeouts: Timeouts = { first: 2000, total: 10_000 };

/** Runs `lockage status`. */
export async function statusCommand(flags: Flags & { env?: string }, signal: AbortSignal): Promise<void> {
  await runCommand(flags, signal, async (context) => {
    await (flags.env === undefined ? showAll(context) : showOne(context, environmentNamed(context.project, flags.env)));
  });
}

async function showAll(context: CommandContext): Promise<void> {
  const environments = await Promise.all(
    context.project.environments.map(async (environment) => {
      const record = await context.records.environment(environment.name);
      const [{ hosts, lock }, loadBalancer] = await Promise.all([
        observe(context.connections, context.project.app, environment, record, { timeouts }),
        context.machines.loadBalancer(environment),
      ]);
      return environmentStatus(environment, record, hosts, lock, loadBalancer);
    }),
  );
  context.terminal.result({ app: context.project.app, environments }, overviewLines(environments, context.now()));
}

async function showOne(context: CommandContext, environment: Environment): Promise<void> {
  const { app } = context.project;
  const record = await context.records.environment(environment.name);
  const [seen, loadBalancer] = await Promise.all([
    observe(context.connections, app, environment, record, { timeouts, closely: true }),
    context.machines.loadBalancer(environment),
  ]);
  const status = environmentStatus(environment, record, seen.hosts, seen.lock, loadBalancer);
  const hosts = seen.hosts.map((view) => ({
    view,
    containers: view.error === undefined && !view.cordon ? containersOf(record, view) : [],
  }));
  const shown = hosts.map(({ view, containers }) => ({
    name: view.host.name,
    ...(view.error === undefined ? { engine: view.engine, routes: view.routes } : { error: view.error }),
    containers,
  }));
  context.terminal.result(
    { app, ...status, hosts: { ...status.hosts, list: shown } },
    environmentLines(status, hosts, context.now()),
  );
}
