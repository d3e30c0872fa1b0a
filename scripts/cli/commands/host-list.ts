import type { Environment } from '../../../pipelines/model/environment.ts';
import { withoutCordoned } from '../../../pipelines/model/cordons.ts';
import { environmentNamed } from '../../../pipelines/model/pipeline.ts';
import { askHosts } from '../../../infra/hosts/query.ts';
import { frontListLines, hostListLines, type ListedFront, type ListedHost } from '../views/hosts.ts';
import { withWorld } from '../run-command.ts';
import type { LiveWorld } from '../open-context.ts';
import type { Flags } from '../options.ts';

/** Milliseconds for a host to answer: an ssh connection may have to be made first. */
const patience = { silent: 5000 };

/** `lockage host ls` */
export async function hostListCommand(name: string | undefined, flags: Flags, signal: AbortSignal): Promise<void> {
  await withWorld(flags, signal, async (world) => {
    const environments = chosen(world, name);
    const [hosts, fronts] = await Promise.all([
      Promise.all(environments.map((environment) => listed(world, environment))),
      Promise.all(environments.map((environment) => frontOf(world, environment))),
    ]);
    const result = { app: world.project.app, hosts: hosts.flat(), fronts: fronts.flat() };
    world.terminal.result(result, [...hostListLines(result.hosts), ...frontListLines(result.fronts)]);
  });
}

async function frontOf(world: LiveWorld, environment: Environment): Promise<ListedFront[]> {
  const front = await world.machines.front(environment);
  return front ? [{ environment: environment.name, ...front }] : [];
}

/** The environment of that name, or all. Throws LockageError. */
export function chosen({ project }: LiveWorld, name: string | undefined): readonly Environment[] {
  return name === undefined ? project.environments : [environmentNamed(project, name)];
}

async function listed(world: LiveWorld, environment: Environment): Promise<ListedHost[]> {
  const { ledger } = await world.records.environment(environment.name);
  const inService = withoutCordoned(environment, ledger).hosts;
  const asked = await askHosts(inService, patience, async (host, signal) => {
    const { Version, Os, Arch } = await (await world.connections.engine(host)).version({ signal });
    return { engine: Version, platform: `${Os}/${Arch}` };
  });
  return environment.hosts.map((host): ListedHost => {
    const { name, url, address, jump } = host;
    const place = { environment: environment.name, name, url, address, ...(jump === undefined ? {} : { jump }) };
    const found = asked.find((each) => each.host === host);
    if (!found) return { ...place, state: 'cordoned' };
    return 'answer' in found
      ? { ...place, state: 'ready', ...found.answer }
      : { ...place, state: 'not reachable', error: withoutName(name, found.error) };
  });
}

/** The host's name stands beside it already. */
export function withoutName(host: string, error: string): string {
  return error.startsWith(`${host}: `) ? error.slice(host.length + 2) : error;
}
