import { LockageError } from '../../pipelines/errors.ts';
import type { Project, Environment } from '../../pipelines/model/environment.ts';
import type { HostReport } from '../../pipelines/model/host-report.ts';
import { environmentNames } from '../../pipelines/model/names.ts';
import { toRecord } from '../../pipelines/model/target-record.ts';
import { schedulesReplicas } from '../../pipelines/model/target.ts';
import type { HostPorts } from '../edge/published-ports.ts';
import { accessoryName } from '../workloads/foundation/accessory-container.ts';
import { edgeSpecOf } from '../workloads/foundation/edge-container.ts';
import { namesBeside } from '../workloads/foundation/standing-container.ts';
import { edgeSetting } from './foundation-inputs.ts';

/** Returns which host needs which image, for its edge and its accessories. */
export function imageUses({ edgeImage }: Pick<Project, 'edgeImage'>, { hosts, accessories }: Environment) {
  return [
    ...hosts.map((host) => ({ host, image: edgeImage })),
    ...accessories.flatMap(({ image, host: name }) =>
      hosts.filter((host) => host.name === name).map((host) => ({ host, image })),
    ),
  ];
}

/** The things that a foundation is made from, besides its configuration. */
export interface FoundationBasis {
  readonly secretVersions: Readonly<Record<string, string>>;
  readonly ports: HostPorts;
  /** accessories that are configured no more, and stay for now */
  readonly kept: readonly string[];
}

/** Returns the settings that a foundation is made from. */
export function foundationOf(
  project: Pick<Project, 'app' | 'edgeImage'>,
  environment: Environment,
  { secretVersions, ports, kept }: FoundationBasis,
) {
  return {
    edges: edgesOf(project, environment, ports),
    ...(kept.length === 0 ? {} : { kept }),
    hosts: environment.hosts.map(toRecord).map(({ name, url }) => ({ name, url })),
    accessories: environment.accessories,
    secretVersions,
    ...(environment.secretsAt === undefined ? {} : { secretsAt: environment.secretsAt }),
  };
}

/** Returns host name → hash of what its edge proxy is made from. */
export function edgesOf(
  { app, edgeImage }: Pick<Project, 'app' | 'edgeImage'>,
  environment: Environment,
  ports: HostPorts,
) {
  return Object.fromEntries(
    environment.hosts.map((host) => [host.name, edgeSpecOf(edgeImage, edgeSetting(app, environment, host, ports))]),
  );
}

/**
 * Refuses a change while a host is cordoned: networks, edges and accessories of all hosts are one stack, which cannot
 * change while one of its hosts is away.
 */
export function refuseWhileCordoned(environment: Environment, active: Environment, missing: readonly string[]): void {
  const serving = new Set(active.hosts.map(({ name }) => name));
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

/** Returns what hosts do not have, or have half done after a command that was killed. */
export function missingParts(
  project: Pick<Project, 'app' | 'edgeImage'>,
  environment: Environment,
  reports: readonly HostReport[],
): string[] {
  const parts = reports.flatMap((report) => [
    { report, what: 'edge', name: environmentNames(project.app, environment.name).edge },
    ...environment.accessories
      .filter(({ host }) => host === report.host.name)
      .map(({ name }) => ({ name: accessoryName({ app: project.app, environment: environment.name, name }) }))
      .map(({ name }) => ({ report, what: name, name })),
  ]);
  return parts
    .filter(({ report, name }) => !schedulesReplicas(report.host) && isAmiss(report, name))
    .map(({ report, what }) => `${report.host.name} ${what}`);
}

function isAmiss({ running, present }: HostReport, name: string): boolean {
  const { fresh, aside } = namesBeside(name);
  return !running.has(name) || present.has(fresh) || present.has(aside);
}
