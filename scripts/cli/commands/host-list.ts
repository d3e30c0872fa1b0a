import { queryHosts } from '../../../infra/hosts/query.ts';
import { withoutCordoned } from '../../../pipelines/model/cordons.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import { environmentNamed } from '../../../pipelines/model/pipeline.ts';
import { toRecord } from '../../../pipelines/model/target-record.ts';
import type { CommandContext } from '../open-context.ts';
import type { Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';
import { loadBalancerListLines, hostListLines, type ListedLoadBalancer, type ListedHost } from '../views/hosts.ts';

/** The milliseconds a host has to answer: an ssh connection may have to be made first. */
const timeouts = { first: 5000 };

/** Runs `lockage host ls`. */
export async function hostListCommand(name: string | undefined, flags: Flags, signal: AbortSignal): Promise<void> {
  await runCommand(flags, signal, async (context) => {
    const environments = chosenEnvironments(context, name);
    const [hosts, loadBalancers] = await Promise.all([
      Promise.all(environments.map((environment) => listed(context, environment))),
      Promise.all(environments.map((environment) => loadBalancerOf(context, environment))),
    ]);
    const result = { app: context.project.app, hosts: hosts.flat(), fronts: loadBalancers.flat() };
    context.terminal.result(result, [...hostListLines(result.hosts), ...loadBalancerListLines(result.fronts)]);
  });
}

async function loadBalancerOf(context: CommandContext, environment: Environment): Promise<ListedLoadBalancer[]> {
  const loadBalancer = await context.machines.loadBalancer(environment);
  return loadBalancer ? [{ environment: environment.name, ...loadBalancer }] : [];
}

/** Returns the environment of that name, or all. Throws LockageError. */
export function chosenEnvironments({ project }: CommandContext, name: string | undefined): readonly Environment[] {
  return name === undefined ? project.environments : [environmentNamed(project, name)];
}

async function listed(context: CommandContext, environment: Environment): Promise<ListedHost[]> {
  const { ledger } = await context.records.environment(environment.name);
  const active = withoutCordoned(environment, ledger).hosts;
  const asked = await queryHosts(active, timeouts, async (host, signal) => {
    const { Version, Os, Arch } = await (await context.connections.engine(host)).version({ signal });
    return { engine: Version, platform: `${Os}/${Arch}` };
  });
  return environment.hosts.map((host): ListedHost => {
    const { name, url, address, jump } = toRecord(host);
    const place = { environment: environment.name, name, url, address, ...(jump === undefined ? {} : { jump }) };
    const found = asked.find((each) => each.host === host);
    if (!found) return { ...place, state: 'cordoned' };
    return 'answer' in found
      ? { ...place, state: 'ready', ...found.answer }
      : { ...place, state: 'not reachable', error: withoutName(name, found.error) };
  });
}

/** Returns a message without the host's name, which stands beside it already. */
export function withoutName(host: string, error: string): string {
  return error.startsWith(`${host}: `) ? error.slice(host.length + 2) : error;
}
