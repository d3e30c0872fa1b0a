import { LockageError } from '../../pipelines/errors.ts';
import type { Project, Environment } from '../../pipelines/model/environment.ts';
import { fingerprint } from '../../pipelines/model/fingerprint.ts';
import type { HostReport } from '../../pipelines/model/host-report.ts';
import { toRecord } from '../../pipelines/model/target-record.ts';
import type { EnvironmentHost } from '../../pipelines/model/target.ts';
import { trustedProxy, publishedPorts } from '../edge/published-ports.ts';
import { edgeScript } from '../edge/script.ts';

/** Which host needs which image, for its edge and its accessories. */
export function imageUses({ edgeImage }: Pick<Project, 'edgeImage'>, { hosts, accessories }: Environment) {
  return [
    ...hosts.map((host) => ({ host, image: edgeImage })),
    ...accessories.flatMap(({ image, host: name }) =>
      hosts.filter((host) => host.name === name).map((host) => ({ host, image })),
    ),
  ];
}

export function foundationOf(
  project: Pick<Project, 'app' | 'edgeImage'>,
  environment: Environment,
  secretVersions: Record<string, string>,
) {
  return {
    edges: edgesOf(project, environment),
    hosts: environment.hosts.map(toRecord).map(({ name, url }) => ({ name, url })),
    accessories: environment.accessories,
    secretVersions,
    ...(environment.secretsAt === undefined ? {} : { secretsAt: environment.secretsAt }),
  };
}

/** Host name → hash of what its edge proxy is made from. */
export function edgesOf(project: Pick<Project, 'app' | 'edgeImage'>, environment: Environment): Record<string, string> {
  const { orchestrator } = environment;
  // `swarm: true` is part of hashes that are recorded.
  const made = {
    edge: project.edgeImage,
    script: edgeScript,
    mounts: ['/live'],
    ...(orchestrator ? { [orchestrator.kind]: true } : {}),
  };
  const edge = (host: EnvironmentHost) => {
    const front = trustedProxy(environment, host);
    return { ...made, ports: publishedPorts(environment, host), ...(front === undefined ? {} : { front }) };
  };
  return Object.fromEntries(environment.hosts.map((host) => [host.name, fingerprint(edge(host))]));
}

/** Networks, edges and accessories of all hosts are one stack, which cannot change while one of its hosts is away. */
export function refuseWhileCordoned(
  environment: Environment,
  inService: Environment,
  missing: readonly string[],
): void {
  const serving = new Set(inService.hosts.map(({ name }) => name));
  const away = environment.hosts.map(({ name }) => name).filter((name) => !serving.has(name));
  if (away.length === 0) return;
  throw new LockageError(`what ${environment.name} stands on has to change, which needs all its hosts`, {
    details: [
      `cordoned: ${away.join(', ')}`,
      missing.length > 0 ? `missing: ${missing.join(', ')}` : 'networks, edges or accessories are configured otherwise',
    ],
    hint: `Take the host back with \`lockage host uncordon ${away[0]} --env ${environment.name}\` first.`,
  });
}

export function missingParts(
  project: Pick<Project, 'app' | 'edgeImage'>,
  environment: Environment,
  reports: readonly HostReport[],
): string[] {
  const edges = reports.filter(({ edge }) => !edge).map(({ host }) => `${host.name} edge`);
  const accessories = environment.accessories
    .map(({ name, host }) => ({ name: `${project.app}-${environment.name}-${name}`, host }))
    .filter(({ name, host }) => !reports.some((report) => report.host.name === host && report.running.has(name)))
    .map(({ name }) => name);
  return [...edges, ...accessories];
}
