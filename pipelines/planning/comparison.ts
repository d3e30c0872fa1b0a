import { LockageError } from '../errors.ts';
import type { ContainerSpec } from '../model/container-spec.ts';
import type { Project } from '../model/environment.ts';
import { currentRevision, type EnvironmentRecord } from '../model/ledger.ts';
import { environmentNamed } from '../model/pipeline.ts';
import type { Release } from '../model/release.ts';
import type { Ledger, Revision } from '../model/revision.ts';
import { isVersion } from '../model/version.ts';
import { differencesOf } from './differences.ts';

/** What a person compares: a release, or what an environment ran, runs by its record, or has on its hosts now. */
export interface SideName {
  /** as it was written: `prod`, `prod@12`, `prod@1.4.0`, `prod@running`, `1.4.0` */
  readonly text: string;
  readonly environment?: string;
  /** what stands behind the `@`; absent: what runs by the record */
  readonly at?: number | string;
  /** with all that hosts have otherwise than it is recorded */
  readonly running: boolean;
}

/** One side of a comparison: a release, and how it ran. */
export interface Side {
  readonly name: SideName;
  readonly release: Release;
  /** absent: a release alone, or a revision of which nothing was made */
  readonly revision?: Revision;
}

/** Something that is not the same on both sides. */
export interface SideDifference {
  /** `image`, `containers`, `limits.memory`, `env.LOG_LEVEL` … */
  readonly what: string;
  /** absent: it is of no role */
  readonly role?: string;
  readonly change: 'new' | 'gone' | 'changed';
  /** absent: it has none, or it is of a secret */
  readonly a?: string;
  readonly b?: string;
}

/** Reads the name of a side. Throws LockageError (refused) that says what is allowed. */
export function parseSide(project: Project, text: string): SideName {
  const [name = '', ...rest] = text.split('@');
  const at = rest.length === 0 ? undefined : rest.join('@');
  if (at === undefined && isVersion(text)) return { text, at: text, running: false };
  if (at !== undefined && !/^[1-9]\d{0,8}$/.test(at) && at !== 'running' && !isVersion(at)) {
    throw new LockageError(`${JSON.stringify(text)} names no revision`, {
      hint: 'Write a release as 1.4.0, and an environment as prod, prod@12 (its revision), prod@1.4.0 or prod@running.',
    });
  }
  const { name: environment } = environmentNamed(project, name);
  if (at === undefined || at === 'running') return { text, environment, running: at === 'running' };
  return { text, environment, at: isVersion(at) ? at : Number(at), running: false };
}

/** Finds what a side is by what is recorded. Throws LockageError (refused) where there is no such thing. */
export function sideOf(
  name: SideName,
  { releases, record }: { readonly releases: readonly Release[]; readonly record?: EnvironmentRecord },
): Side {
  if (!record) return { name, release: releaseOf(name, releases) };
  const revision = revisionOf(name, record.ledger);
  return { name, release: revision.release, ...(revision.containers.length > 0 ? { revision } : {}) };
}

function releaseOf({ text }: SideName, releases: readonly Release[]): Release {
  const found = releases.find(({ version }) => version === text);
  if (found) return found;
  throw new LockageError(`there is no release ${text}`, { hint: '`lockage releases` lists what there is.' });
}

function revisionOf({ environment = '', at }: SideName, ledger: Ledger): Revision {
  const found =
    at === undefined
      ? currentRevision(ledger)
      : ledger.revisions.findLast((each) =>
          typeof at === 'number' ? each.number === at : each.release.version === at && each.result === 'succeeded',
        );
  if (found) return found;
  const absent =
    at === undefined ? 'runs nothing yet' : typeof at === 'number' ? `has no revision ${at}` : `never ran ${at}`;
  throw new LockageError(`${environment} ${absent}`, { hint: `\`lockage history ${environment}\` lists what it ran.` });
}

/** Returns what of two sides is not the same by what is recorded: the release, where it ran, and the roles' settings. */
export function compareSides(a: Side, b: Side): SideDifference[] {
  const [was, is] = [a.release, b.release];
  return [
    ...valueDifference('version', was.version, is.version),
    ...valueDifference('image', was.digest, is.digest),
    ...valueDifference('platform', was.platform, is.platform),
    ...valueDifference('commit', was.commit, is.commit),
    ...(a.revision && b.revision ? revisionDifferences(a.revision, b.revision) : []),
  ];
}

function revisionDifferences(a: Revision, b: Revision): SideDifference[] {
  const roles = [...new Set([...a.containers, ...b.containers].map(({ role }) => role))];
  const settings = differencesOf(a.containers, b.containers, 'variables too')
    // Where how many of them run says it better.
    .filter(({ key }) => key !== 'count' && key !== 'replicas')
    .map(({ role, key = 'role', change, from, to }) => ({
      ...{ what: key, role, change },
      ...(from === undefined ? {} : { a: from }),
      ...(to === undefined ? {} : { b: to }),
    }));
  return [
    ...valueDifference('machine image', a.machineImage, b.machineImage),
    ...roles.flatMap((role) =>
      valueDifference('containers', placement(role, a.containers), placement(role, b.containers), role),
    ),
    ...settings.toSorted((one, other) => roles.indexOf(one.role) - roles.indexOf(other.role)),
  ];
}

/** Returns where how many containers of a role run: `2 on prod-1, 2 on prod-2` */
function placement(role: string, containers: readonly ContainerSpec[]): string | undefined {
  const own = containers.filter((each) => each.role === role);
  const hosts = [...new Set(own.map(({ host }) => host))];
  const on = (host: string) =>
    own.filter((each) => each.host === host).reduce((sum, { replicas = 1 }) => sum + replicas, 0);
  return hosts.length === 0 ? undefined : hosts.map((host) => `${on(host)} on ${host}`).join(', ');
}

function valueDifference(what: string, a: string | undefined, b: string | undefined, role?: string): SideDifference[] {
  if (a === b) return [];
  const change = a === undefined ? 'new' : b === undefined ? 'gone' : 'changed';
  return [
    {
      ...{ what, change },
      ...(role === undefined ? {} : { role }),
      ...(a === undefined ? {} : { a }),
      ...(b === undefined ? {} : { b }),
    },
  ];
}
