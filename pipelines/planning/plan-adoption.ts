import { LockageError } from '../errors.ts';
import { onActiveHosts } from '../model/cordons.ts';
import { samePlace, type PlacedContainer, type SecretVersion } from '../model/desired-state.ts';
import { allTargets, type Environment } from '../model/environment.ts';
import { lastNumber, type Fence } from '../model/fence.ts';
import { fingerprint } from '../model/fingerprint.ts';
import { currentRevision, type EnvironmentRecord } from '../model/ledger.ts';
import type { CopiedRecord, KeptRecord } from '../model/record-copy.ts';
import type { Release } from '../model/release.ts';
import { withRelease } from '../model/releases.ts';
import type { Ledger, Revision } from '../model/revision.ts';
import { schedulesReplicas, type Target } from '../model/target.ts';
import type { NewestCopy } from '../policy/newest-copy.ts';
import type { SecretVersions } from './rollout-inputs.ts';
import { isKnown, neededSecrets } from './standby.ts';

/** Everything that an adoption is decided from. */
export interface AdoptionInputs {
  readonly environment: Environment;
  /** what is recorded here: nothing, or something older */
  readonly own: EnvironmentRecord;
  readonly newest: NewestCopy;
  /** the ledger of the copy, with hosts cordoned that the operator leaves out */
  readonly ledger: Ledger;
  readonly kept: readonly KeptRecord[];
  readonly releases: readonly Release[];
  /** versions of the secrets whose values the sources have now */
  readonly versions: SecretVersions;
}

/** A record that is taken over from hosts: for people to read, and to be written. */
export interface Adoption {
  readonly environment: string;
  /** the last change that the copy knows */
  readonly revision: number;
  /** the revision that runs; absent where none ran well yet */
  readonly current?: Revision;
  /** hosts with this copy */
  readonly hosts: readonly string[];
  /** recorded containers that hosts have */
  readonly taken: readonly PlacedContainer[];
  /** recorded containers that hosts do not have */
  readonly missing: readonly PlacedContainer[];
  /** containers of releases that hosts have, and the copy does not know */
  readonly unknown: readonly { readonly host: string; readonly name: string }[];
  /** containers that this state has and hosts know no more: they are forgotten */
  readonly dropped: readonly PlacedContainer[];
  readonly lostSecrets: readonly LostSecret[];
  /** releases of the revisions that are not recorded here */
  readonly releases: readonly Release[];
  /** operations of later revisions that were begun, and are in no copy */
  readonly begun: readonly Fence[];
  /** what is to be recorded */
  readonly record: EnvironmentRecord;
}

/** A recorded version of a secret whose value is not known here. */
export interface LostSecret extends SecretVersion {
  /** numbers of the revisions that need it */
  readonly revisions: readonly number[];
}

/** Plans how a record is taken over from hosts. Throws LockageError when it does not fit the hosts of today. */
export function planAdoption(inputs: AdoptionInputs): Adoption {
  const { environment, own, newest, ledger, kept, releases } = inputs;
  const { record } = newest.copy;
  refuseMisfit(environment, record, kept);
  const containers = record.containers.map((placed) => ({ ...placed, host: hostNow(environment, placed.host) }));
  const active = onActiveHosts(ledger, containers);
  const missing = active.filter((placed) => !isThere(kept, placed));
  const staying = containers.filter((placed) => !missing.includes(placed));
  const current = currentRevision(ledger);
  const revision = lastNumber(record.ledger);
  return {
    environment: environment.name,
    revision,
    ...(current ? { current } : {}),
    hosts: newest.hosts,
    taken: active.filter((placed) => !missing.includes(placed)),
    missing,
    unknown: unknownOf(kept, containers),
    dropped: own.containers.filter((placed) => !staying.some((other) => samePlace(other, placed))),
    lostSecrets: lostSecretsOf(inputs, containers),
    releases: releasesOf(releases, ledger),
    begun: kept.flatMap(({ fence }) => (fence && fence.revision > revision ? [fence] : [])),
    record: recordOf(inputs, staying),
  };
}

/** Returns the hosts of a record that nobody has asked yet: they are in service, and not configured any more. */
export function hostsNotAsked(record: CopiedRecord, kept: readonly KeptRecord[]): readonly Target[] {
  const asked = new Set(kept.map(({ host }) => host.name));
  const left = onActiveHosts(record.ledger, record.containers).filter(({ host }) => !asked.has(host.name));
  return [...new Map(left.map(({ host }) => [host.name, host])).values()];
}

function recordOf({ environment, newest, ledger, own, versions }: AdoptionInputs, containers: PlacedContainer[]) {
  const { migration } = newest.copy.record;
  const needed = neededSecrets(containers, ledger, migration?.spec);
  return {
    basis: own.basis,
    ledger,
    containers,
    ...(migration ? { migration: { ...migration, host: hostNow(environment, migration.host) } } : {}),
    secrets: needed.filter((secret) => isKnown(secret, own, versions)),
  };
}

/** Returns a host as it is reached today: keys and addresses may have changed since. */
function hostNow(environment: Environment, recorded: Target): Target {
  return allTargets(environment).find(({ name }) => name === recorded.name) ?? recorded;
}

function isThere(kept: readonly KeptRecord[], { host, spec }: PlacedContainer): boolean {
  const found = kept.find((each) => each.host.name === host.name);
  return found?.containers.get(spec.name) === fingerprint(spec);
}

function unknownOf(kept: readonly KeptRecord[], recorded: readonly PlacedContainer[]): Adoption['unknown'] {
  const names = new Set(recorded.map(({ spec }) => spec.name));
  return kept.flatMap(({ host, containers }) =>
    [...containers.keys()].filter((name) => !names.has(name)).map((name) => ({ host: host.name, name })),
  );
}

function lostSecretsOf({ ledger, newest, own, versions }: AdoptionInputs, containers: PlacedContainer[]): LostSecret[] {
  const needed = neededSecrets(containers, ledger, newest.copy.record.migration?.spec);
  return needed
    .filter((secret) => !isKnown(secret, own, versions))
    .map(({ name, version }) => {
      const uses = ({ containers: specs }: Revision) => specs.some(({ secrets }) => secrets[name] === version);
      return { name, version, revisions: ledger.revisions.filter(uses).map(({ number }) => number) };
    });
}

/** Throws LockageError when a version is recorded here that was made of something else. */
function releasesOf(known: readonly Release[], { revisions }: Ledger): readonly Release[] {
  const made = (a: Release, b: Release) => a.createdAt.localeCompare(b.createdAt);
  const all = revisions.map(({ release }) => release).sort(made);
  return all.reduce(withRelease, known).slice(known.length);
}

function refuseMisfit(environment: Environment, record: CopiedRecord, kept: readonly KeptRecord[]): void {
  const problems = [...otherKinds(environment, record), ...mixedUp(record, kept)];
  if (problems.length === 0) return;
  throw new LockageError(`${environment.name} is configured with other hosts than its record has`, {
    details: problems,
    hint: `Name them under targets as they were, in environments/${environment.name}.yaml.`,
  });
}

function otherKinds({ orchestrator }: Environment, { containers }: CopiedRecord): string[] {
  const other = containers.filter(({ host }) => schedulesReplicas(host) !== (orchestrator !== undefined));
  const what = orchestrator ? 'a host, and it is configured as a swarm' : 'a swarm, and it is configured with hosts';
  return [...new Set(other.map(({ host }) => `${host.name}: recorded as ${what}`))];
}

/**
 * Returns hosts that have the containers of another one: a container's name follows from the host that it was made
 * for, too.
 */
function mixedUp({ containers }: CopiedRecord, kept: readonly KeptRecord[]): string[] {
  const homes = new Map(containers.map(({ host, spec }) => [spec.name, host.name]));
  return kept.flatMap(({ host, containers: found }) => {
    const others = [...found.keys()].map((name) => homes.get(name)).filter((home) => home !== undefined);
    return [...new Set(others)]
      .filter((home) => home !== host.name)
      .map((home) => `${host.name} has what ran on ${home}`);
  });
}
