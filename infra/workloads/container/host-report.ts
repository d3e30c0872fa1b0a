import { LockageError } from '../../../pipelines/errors.ts';
import { expiryWarnings } from '../../../pipelines/hosts/certificates.ts';
import { obstacles, oddities } from '../../../pipelines/hosts/abilities.ts';
import { diskWarnings } from '../../../pipelines/hosts/disk.ts';
import { needsInfo, traitsOf } from '../../../pipelines/hosts/parity.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import type { HostReport, PreflightReport } from '../../../pipelines/model/host-report.ts';
import type { Trait, Traits } from '../../../pipelines/model/host-traits.ts';
import { environmentNames } from '../../../pipelines/model/names.ts';
import type { EnvironmentHost } from '../../../pipelines/model/target.ts';
import type { Engine } from '../../docker/api/client.ts';
import { containerName } from '../../docker/api/names.ts';
import type { ContainerSummary, EngineVersion } from '../../docker/api/types.ts';
import { engineFacts } from '../../docker/engine-facts.ts';
import { isOwnedBy } from '../../docker/labels.ts';
import { diskOfEngine } from '../../edge/disk.ts';
import { lookAt } from './host-look.ts';
import { Edge } from '../../edge/edge.ts';
import { publishedPorts } from '../../edge/published-ports.ts';
import type { Survey } from '../runtime.ts';
import { refuseOtherMtu } from '../network-mtu.ts';
import { isFormerFolder, lostVolumes } from '../secret-volume.ts';
import { runningMigrations } from './running-migrations.ts';

/** Milliseconds a host has to answer before a change: an earlier connection may lead to a host that is gone. */
const answerTimeout = 10_000;

/** Reports what a host has of an environment. Throws LockageError when one of its ports is taken. */
export async function hostReport(host: EnvironmentHost, survey: Survey): Promise<HostReport> {
  const { app, environment, connections } = survey;
  const engine = await connections.engine(host);
  const { edge } = environmentNames(app, environment.name);
  const [containers, fence] = await Promise.all([
    engine.listContainers({ all: true, deadline: answerTimeout }),
    // An edge that cannot be read is mended by what follows.
    new Edge(engine, edge).fence().catch(() => undefined),
  ]);
  const isOwn = ({ Labels }: ContainerSummary) => isOwnedBy(Labels, { app, environment: environment.name });
  const own = containers.filter(isOwn);
  const foreign = containers.filter((container) => !isOwn(container));
  refuseTakenPorts(environment, host, foreign);
  const usable = own.filter(isUsable(lostVolumes(own)));
  const migrations = runningMigrations(own, host.name, { app, environment: environment.name });
  const running = new Set(usable.filter(({ State }) => State === 'running').map(containerName));
  return {
    host,
    running,
    present: new Set(usable.map(containerName)),
    foreign: new Set(foreign.map(containerName)),
    edge: running.has(edge),
    ...(migrations.length > 0 ? { migrations } : {}),
    ...(fence ? { fence } : {}),
    warnings: expiryWarnings(engine.certificates, Date.now()),
  };
}

/** Returns whether a container still has its secrets, or will have them when it is started. */
function isUsable(lost: ReadonlySet<string>): (container: ContainerSummary) => boolean {
  return ({ State, Mounts }) =>
    // Those of earlier versions are in a folder of the host's memory, which may be gone: nobody starts from it.
    !Mounts.some(({ Name, Source }) => lost.has(Name ?? '') || (State !== 'running' && isFormerFolder(Source)));
}

/** Reports the same, and what the host is made of. */
export async function hostPreflight(
  host: EnvironmentHost,
  survey: Survey,
  wanted: readonly Trait[],
): Promise<PreflightReport> {
  const engine = await survey.connections.engine(host);
  const { edge } = environmentNames(survey.app, survey.environment.name);
  const [report, { version, traits }, disk] = await Promise.all([
    hostReport(host, survey),
    askTraits(engine, wanted),
    diskOfEngine(engine, edge, { deadline: answerTimeout }),
    refuseOtherMtu(engine, survey.app, survey.environment, { deadline: answerTimeout }),
  ]);
  const warnings = [
    ...report.warnings,
    ...diskWarnings(disk),
    ...(report.edge ? [] : await refuseUnable(host, survey)),
  ];
  return { ...report, warnings, platform: `${version.Os}/${version.Arch}`, traits };
}

/** Returns an engine's version, and what its host is made of: as far as no further question is needed, unless wanted. */
export async function askTraits(
  engine: Engine,
  wanted: readonly Trait[],
): Promise<{ readonly version: EngineVersion; readonly traits: Traits }> {
  const call = { deadline: answerTimeout };
  const [version, info] = await Promise.all([engine.version(call), needsInfo(wanted) ? engine.info(call) : undefined]);
  return { version, traits: traitsOf(engineFacts(version, info)) };
}

/**
 * Refuses a host on which the environment cannot run; one where it runs already is not asked. Returns what else should be known
 * of it. Throws LockageError.
 */
async function refuseUnable(host: EnvironmentHost, survey: Survey): Promise<string[]> {
  const engine = await survey.connections.engine(host);
  const look = await lookAt(engine, host, survey, { deadline: answerTimeout });
  const [first, ...rest] = obstacles(look);
  if (!first) return oddities(look).map(({ text }) => text);
  throw new LockageError(`${host.name}: ${[first, ...rest].map(({ text }) => text).join('; ')}`, { hint: first.hint });
}

/** Refuses a public port that somebody else's container has: it would fail later, when the edge starts. */
function refuseTakenPorts(environment: Environment, host: EnvironmentHost, foreign: readonly ContainerSummary[]): void {
  for (const port of publishedPorts(environment, host)) {
    const holder = foreign.find(({ Ports }) => Ports.some(({ PublicPort }) => PublicPort === port));
    if (!holder) continue;
    const name = containerName(holder);
    throw new LockageError(`port ${port} is taken by container ${name}, which is not of ${environment.name}`, {
      hint: `Stop ${name} on ${host.name}, or give the role another \`publish\` port.`,
    });
  }
}
