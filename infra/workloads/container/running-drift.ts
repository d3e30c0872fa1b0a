import type { Drift } from '../../../pipelines/inspection/drift.ts';
import type { ContainerDetails, FileChange } from '../../docker/api/client.ts';

type Found = Omit<Drift, 'what'>;

/** Returns what a container does that it should not. `rests`: it has no traffic, and must not work until somebody goes back to it. */
export function stateDrift({ State, RestartCount }: ContainerDetails, rests: boolean): Found[] {
  const { Status, StartedAt, ExitCode, OOMKilled } = State;
  const since = sinceOf(State);
  const waits = rests && (Status === 'exited' || Status === 'created');
  const works = rests && Status === 'running';
  const ended = Status === 'exited' || Status === 'restarting' ? ` (exit code ${ExitCode})` : '';
  const health = State.Health?.Status;
  return [
    ...(Status === 'running' || waits
      ? []
      : [{ member: 'state', expected: 'running', actual: `${Status}${ended}`, ...since }]),
    ...(works ? [{ member: 'state', expected: 'resting', actual: Status, ...since }] : []),
    ...(OOMKilled
      ? [{ member: 'memory', expected: 'enough', actual: 'a process was killed for want of it', ...since }]
      : []),
    ...(RestartCount > 0
      ? [{ member: 'restarts', expected: '0', actual: String(RestartCount), since: StartedAt }]
      : []),
    ...(health === 'unhealthy' ? [{ member: 'health', expected: 'healthy', actual: health }] : []),
  ];
}

/** An engine notes when a container was started and when it ended, and no more. */
function sinceOf({ Status, StartedAt, FinishedAt }: ContainerDetails['State']): Pick<Found, 'since'> {
  if (Status === 'running') return { since: StartedAt };
  return ['exited', 'restarting', 'dead'].includes(Status) && !FinishedAt.startsWith('0001-')
    ? { since: FinishedAt }
    : {};
}

/** Returns whether an engine has begun to remove a container, or failed to: what is in it cannot be read any more. */
export function isDead(state: string): boolean {
  return state === 'dead' || state === 'removing';
}

/** How many paths are named. */
const most = 5;

/**
 * Returns which files of a container are not as in its image. What its engine makes in every container does not count, and
 * where the file system can be written, neither do files that were added: programs put their sockets and logs there.
 */
export function fileDrift(
  changes: readonly FileChange[],
  { Mounts, HostConfig }: Pick<ContainerDetails, 'Mounts' | 'HostConfig'>,
): Found[] {
  const mounted = [...Mounts.map(({ Destination }) => Destination), ...Object.keys(HostConfig.Tmpfs ?? {})];
  const own = new Set([...mounted, ...madeByEngine].flatMap(withParents));
  const parents = new Set(changes.flatMap(({ path }) => withParents(path).slice(1)));
  const counted = HostConfig.ReadonlyRootfs ? changes : changes.filter(({ kind }) => kind !== 'added');
  const isOther = (path: string) => !own.has(path) && !parents.has(path) && !leftByEngine.test(path);
  const files = counted.map(({ path }) => path).filter(isOther);
  if (files.length === 0) return [];
  const more = files.length > most ? ` and ${files.length - most} more` : '';
  return [{ member: 'files', expected: 'as in the image', actual: `${files.sort().slice(0, most).join(', ')}${more}` }];
}

const madeByEngine = [
  // In many images one of these folders is a link to the other.
  ...['/sbin/docker-init', '/usr/sbin/docker-init', '/dev/init'],
  ...['/etc/hosts', '/etc/hostname', '/etc/resolv.conf', '/.dockerenv', '/etc/mtab'],
  ...['/dev/console', '/dev/pts', '/dev/shm', '/proc', '/sys'],
];

/** An empty folder that an engine of today makes to copy files out of a container, and does not always remove. */
const leftByEngine = /^\/\.pivot_root\d+$/;

/** `/a/b` and `/a`. */
function withParents(path: string): string[] {
  const steps = path.split('/').filter((step) => step !== '');
  return steps.map((_, index) => `/${steps.slice(0, steps.length - index).join('/')}`);
}
