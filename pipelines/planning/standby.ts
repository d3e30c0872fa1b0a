import type { ContainerSpec } from '../model/container-spec.ts';
import { skippedHosts, onCordonedHosts } from '../model/cordons.ts';
import type { DesiredState, PlacedContainer, SecretVersion } from '../model/desired-state.ts';
import {
  completed,
  currentRevision,
  rollbackCandidates,
  sameContainers,
  existingContainers,
  type EnvironmentRecord,
} from '../model/ledger.ts';
import type { Ledger, Revision } from '../model/revision.ts';
import type { SecretVersions } from './rollout-inputs.ts';

/**
 * Returns the containers of the last `count` good revisions other than what will serve: what a rollback switches back
 * to. With them, everything on cordoned hosts, where nothing can be removed.
 */
export function standbyFor(
  record: EnvironmentRecord,
  count: number,
  serving: readonly PlacedContainer[],
): PlacedContainer[] {
  const next = { containers: serving.map(({ spec }) => spec), ...skippedHosts(record.ledger) };
  const kept: Revision[] = [];
  for (const revision of [...record.ledger.revisions].reverse()) {
    if (kept.length >= count) break;
    if (revision.result !== 'succeeded' || sameContainers(revision, next)) continue;
    if (kept.some((other) => sameContainers(other, revision))) continue;
    if (existingContainers(record, revision).length > 0) kept.push(revision);
  }
  const names = new Set(next.containers.map(({ name }) => name));
  const whole = kept.map((revision) => completed(record.ledger, revision));
  const candidates = [...whole.flatMap((revision) => existingContainers(record, revision)), ...onCordonedHosts(record)];
  return [...new Set(candidates)].filter(({ spec }) => !names.has(spec.name));
}

/**
 * Returns the recorded containers that neither serve nor are kept for a rollback: what an operation that was cut short had still to
 * remove, and the next promotion removes.
 */
export function surplusOf(record: EnvironmentRecord, count: number): PlacedContainer[] {
  const current = currentRevision(record.ledger);
  const serving = current ? existingContainers(record, current) : [];
  const needed = new Set([...serving, ...standbyFor(record, count, serving)]);
  return record.containers.filter((each) => !needed.has(each));
}

/** Returns the standby for machines that take over from others and have none of them yet: to be made there. */
export function standbyAgain(ledger: Ledger, count: number, serving: readonly PlacedContainer[]): ContainerSpec[] {
  const next = { containers: serving.map(({ spec }) => spec) };
  const earlier = [currentRevision(ledger), ...rollbackCandidates(ledger)].filter((revision) => revision !== undefined);
  return earlier
    .filter((revision) => !sameContainers(revision, next))
    .slice(0, count)
    .flatMap(({ containers }) => containers);
}

/**
 * Returns the versions of secrets to record: those that the containers, the recorded revisions and the migration need, and
 * whose values are recorded already or were read from their sources. One that nobody knows is never recorded as empty.
 */
export function secretsToRecord(
  containers: readonly PlacedContainer[],
  record: Pick<EnvironmentRecord, 'ledger' | 'migration' | 'secrets'>,
  versions: SecretVersions = {},
): DesiredState['secrets'] {
  return neededSecrets(containers, record.ledger, record.migration?.spec).filter((secret) =>
    isKnown(secret, record, versions),
  );
}

/** Returns whether the value of a secret's version is recorded, or was read from its source. */
export function isKnown(
  { name, version }: SecretVersion,
  { secrets }: Pick<EnvironmentRecord, 'secrets'>,
  versions: SecretVersions,
): boolean {
  return versions[name] === version || secrets.some((each) => each.name === name && each.version === version);
}

/** Returns every version of a secret that the containers, the recorded revisions and the migration need. */
export function neededSecrets(
  containers: readonly PlacedContainer[],
  ledger: Ledger,
  migration?: ContainerSpec,
): DesiredState['secrets'] {
  const needed = new Map<string, DesiredState['secrets'][number]>();
  const specs = [...containers.map(({ spec }) => spec), ...ledger.revisions.flatMap((revision) => revision.containers)];
  for (const spec of migration ? [...specs, migration] : specs) {
    for (const [name, version] of Object.entries(spec.secrets)) needed.set(`${name}@${version}`, { name, version });
  }
  return [...needed.values()];
}
