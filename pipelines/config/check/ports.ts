import { engineKey } from '../../model/endpoint.ts';
import type { Path } from '../source/problem.ts';
import type { Checked, Report } from './context.ts';

/** A port that a role or an accessory takes on a host. */
interface Use {
  readonly environment: string;
  readonly what: string;
  readonly host: string;
  readonly engine: string;
  readonly port: number;
  readonly path: Path;
  readonly report: Report;
}

/** Checks that no two roles, accessories or environments publish the same port on one Docker Engine. */
export function checkPorts(environments: readonly Checked[]): void {
  const taken = new Map<string, Use>();
  for (const use of environments.flatMap(usesOf)) {
    const key = `${use.engine} ${use.port}`;
    const first = taken.get(key);
    if (first === undefined) taken.set(key, use);
    else use.report(use.path, message(use, first));
  }
}

function message(use: Use, first: Use): string {
  const isOther = use.environment !== first.environment;
  const place = isOther ? `${use.host}, which is also ${first.host} of ${first.environment},` : use.host;
  return `port ${use.port} of ${place} is taken by ${isOther ? `its ` : ''}${first.what}`;
}

function usesOf({ resolved, report }: Checked): Use[] {
  const { name: environment, hosts, orchestrator, machines, roles, accessories } = resolved;
  // On a single host and on a swarm, containers find accessories on the network, and nothing is published.
  const published = hosts.length > 1 && !orchestrator ? accessories : [];
  // The address of the load balancer of an environment's own machines may also be that of another environment's.
  const loadBalancer = machines?.address;
  const shared = roles.flatMap(({ name, route }) =>
    loadBalancer === undefined || route === undefined
      ? []
      : [
          {
            ...{
              environment,
              host: `the load balancer ${loadBalancer}`,
              engine: `load balancer ${loadBalancer}`,
              report,
            },
            ...{ what: `role ${name}`, port: route.publish, path: ['roles', name, 'publish'] },
          },
        ],
  );
  const onHosts = hosts.flatMap((host) => {
    const engine = host.kind === 'pending' ? `machine ${host.name}` : engineKey(host.endpoint);
    const common = { environment, host: host.name, engine, report };
    return [
      ...roles.flatMap(({ name, route, hosts: on }) =>
        route !== undefined && (orchestrator !== undefined || on.includes(host.name))
          ? [{ ...common, what: `role ${name}`, port: route.publish, path: ['roles', name, 'publish'] }]
          : [],
      ),
      ...published.flatMap(({ name, port, host: home }) =>
        port !== undefined && home === host.name
          ? [{ ...common, what: `accessory ${name}`, port, path: ['accessories', name, 'port'] }]
          : [],
      ),
    ];
  });
  return [...onHosts, ...shared];
}
