import { LockageError } from '../../pipelines/errors.ts';
import { asConfigured } from '../../pipelines/model/embedded.ts';
import { surroundingsOf } from '../../pipelines/model/container-spec.ts';
import type { Accessory, Project } from '../../pipelines/model/environment.ts';
import { currentRevision, type EnvironmentRecord } from '../../pipelines/model/ledger.ts';
import { withoutVersions, type RecordedRevision } from '../../pipelines/model/recorded-revision.ts';
import type { Revision, StoodOn } from '../../pipelines/model/revision.ts';
import { edgeHosts, schedulesReplicas, type Target } from '../../pipelines/model/target.ts';
import { chooseRevision, type RevisionName } from '../../pipelines/planning/choose-revision.ts';
import { ownVariables } from '../../pipelines/planning/reproduced-environment.ts';
import { didYouMean } from '../../pipelines/text/suggest.ts';
import type { AccessoryInputs } from '../resources/inputs.ts';
import { accessoryName } from '../workloads/foundation/accessory-container.ts';
import type { StandingRecord } from '../workloads/runtime.ts';
import type { RecordsAdapter } from './records.ts';

/** A recorded revision, and the targets on which its containers are recorded: nobody has to ask them for anything. */
export interface FoundRevision {
  readonly recorded: RecordedRevision;
  readonly targets: readonly Target[];
}

/**
 * Reads a revision out of the state, and nothing else: neither the configuration of today, but for where releases lie by now, nor hosts,
 * nor values of secrets.
 * Edge, accessories and migration are those that it stood on; where it was recorded before that was, those that stand now.
 * Throws LockageError (refused).
 */
export async function recordedRevision(
  records: RecordsAdapter,
  project: Pick<Project, 'app' | 'repository' | 'edgeImage' | 'insecureRegistries'>,
  name: RevisionName,
): Promise<FoundRevision> {
  const { environment } = name;
  const record = await records.environment(environment);
  refuseArchived(record);
  await refuseUnknown(records, project.app, environment);
  const [standing, owners] = await Promise.all([records.standing(environment), records.secretOwners(environment)]);
  const revision = chooseRevision(record.ledger, name);
  const targets = targetsOf(record, revision, standing.edges[0]?.host);
  const swarm = targets.find(schedulesReplicas)?.name;
  const { app, insecureRegistries } = project;
  const release = asConfigured(revision.release, project.repository);
  const today = stoodOn({ standing, owners, edgeImage: project.edgeImage, migration: record.migration });
  const isCurrent = currentRevision(record.ledger)?.number === revision.number;
  return {
    targets,
    recorded: {
      ...{ app, environment, number: revision.number, release, insecureRegistries },
      containers: revision.containers.map(withoutVersions),
      ...(revision.stoodOn ?? today),
      ...(revision.stoodOn || isCurrent ? {} : { standsOnLater: true as const }),
      hosts: [...new Set(revision.containers.map(({ host }) => host))],
      ...(swarm === undefined ? {} : { swarm }),
    },
  };
}

/** Networks, edges and accessories of an archived environment are recorded in its file alone. */
function refuseArchived({ archive }: EnvironmentRecord): void {
  if (!archive) return;
  const { environment, revision, version, file } = archive;
  throw new LockageError(`${environment} is archived: what it ran is in a file, and no more in the state`, {
    details: [`revision ${revision}, ${version}, is in ${file}`],
    hint: `Run \`lockage reproduce --from ${file}\`.`,
  });
}

async function refuseUnknown(records: RecordsAdapter, app: string, environment: string): Promise<void> {
  const known = await records.environments();
  if (known.includes(environment)) return;
  throw new LockageError(
    `nothing is recorded of an environment ${JSON.stringify(environment)} of ${app}${didYouMean(environment, known)}`,
    {
      details: [
        known.length === 0
          ? 'no environment is'
          : `recorded ${known.length === 1 ? 'is' : 'are'} ${[...known].sort().join(', ')}`,
      ],
    },
  );
}

function targetsOf({ containers }: EnvironmentRecord, revision: Revision, edge: Target | undefined): Target[] {
  const names = new Set(revision.containers.map(({ host }) => host));
  const found = new Map(containers.map(({ host }) => [host.name, host]));
  const placed = [...found.values()].filter(({ name }) => names.has(name));
  return placed.length > 0 || !edge ? placed : [edge];
}

/** Returns the hosts of targets that an engine can be asked of. */
export function hostsOf(targets: readonly Target[]): Target[] {
  return targets.flatMap((target) => [...edgeHosts(target)]);
}

/** Returns an accessory as it is recorded, as if it were configured so: its port is in the variables that lead to it. */
function accessoryOf(inputs: AccessoryInputs, owners: ReadonlyMap<string, string>): Accessory {
  const { name, host, pinned, command, env, secrets, volumes, health, memory, cpus, shmSize, ulimits, init, log } =
    inputs;
  const owner = secrets && owners.get(secrets.volume);
  const own = `${accessoryName(inputs)}-`;
  const named = Object.entries(volumes).map(([volume, path]) => [withoutStart(volume, own), path]);
  return {
    ...{ name, image: pinned, host: host.name, env, secrets: secrets?.names ?? [], memory },
    ...(command ? { command } : {}),
    ...(owner === undefined ? {} : { secretsOwner: owner }),
    volumes: Object.fromEntries(named) as Record<string, string>,
    ...(health ? { health } : {}),
    ...(cpus === undefined ? {} : { cpus }),
    ...(shmSize === undefined ? {} : { shmSize }),
    ...(ulimits ? { ulimits } : {}),
    ...(init === undefined ? {} : { init }),
    ...(log ? { log } : {}),
    ...surroundingsOf(inputs),
  };
}

function withoutStart(text: string, start: string): string {
  return text.startsWith(start) ? text.slice(start.length) : text;
}

/** What the state has of an environment besides its release. */
interface Standing {
  readonly standing: StandingRecord;
  /** volume with secrets → who reads them */
  readonly owners: ReadonlyMap<string, string>;
  /** as it is configured */
  readonly edgeImage: string;
  readonly migration: EnvironmentRecord['migration'];
}

/** Returns what an environment stands on, as if it were configured so. */
export function stoodOn({ standing, owners, edgeImage, migration }: Standing): StoodOn {
  const [edge] = standing.edges;
  return {
    accessories: standing.accessories.map((inputs) => accessoryOf(inputs, owners)),
    edge: {
      image: edge?.pinned ?? edgeImage,
      ...(edge?.limits ? { limits: edge.limits } : {}),
      ...(edge?.proxies ? { trustedProxies: edge.proxies } : {}),
    },
    ...(migration ? { migration: migrationOf(migration) } : {}),
  };
}

function migrationOf({ spec, timeout }: NonNullable<EnvironmentRecord['migration']>) {
  const { command = [], version } = spec;
  return { command, timeout, secrets: Object.keys(spec.secrets), env: ownVariables(spec), version };
}
