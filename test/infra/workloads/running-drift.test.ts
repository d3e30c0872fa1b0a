import { describe, expect, test } from 'vitest';
import type { ContainerDetails, FileChange } from '../../../infra/docker/api/types.ts';
import { fileDrift, stateDrift } from '../../../infra/workloads/container/running-drift.ts';

const started = '2026-01-01T12:00:00.000Z';
const ended = '2026-01-02T12:00:00.000Z';

function details(state: object = {}, restarts = 0): ContainerDetails {
  const State = { Status: 'running', ExitCode: 0, OOMKilled: false, StartedAt: started, FinishedAt: ended, ...state };
  return { State, RestartCount: restarts } as ContainerDetails;
}

describe('a container', () => {
  test('that runs as it was started has not drifted', () => {
    expect(stateDrift(details(), false)).toEqual([]);
  });

  test('that ended says since when, and how', () => {
    expect(stateDrift(details({ Status: 'exited', ExitCode: 137 }), false)).toEqual([
      { member: 'state', expected: 'running', actual: 'exited (exit code 137)', since: ended },
    ]);
  });

  test('of which its engine does not note since when does not say it', () => {
    const never = '0001-01-01T00:00:00Z';
    for (const Status of ['paused', 'created', 'exited'])
      expect(stateDrift(details({ Status, FinishedAt: never }), false)).toEqual([
        { member: 'state', expected: 'running', actual: expect.stringContaining(Status) },
      ]);
    expect(stateDrift(details({ Status: 'paused' }), false)[0]).not.toHaveProperty('since');
  });

  test('that may rest is fine when it was stopped or never started, and not when it is paused', () => {
    expect(stateDrift(details({ Status: 'exited' }), true)).toEqual([]);
    expect(stateDrift(details({ Status: 'created' }), true)).toEqual([]);
    expect(stateDrift(details({ Status: 'paused' }), true)).toHaveLength(1);
  });

  test('that has to rest must not work beside what serves', () => {
    expect(stateDrift(details(), true)).toEqual([
      { member: 'state', expected: 'resting', actual: 'running', since: started },
    ]);
  });

  test('that was restarted, lacks memory or is unhealthy has drifted though it runs', () => {
    const found = stateDrift(details({ OOMKilled: true, Health: { Status: 'unhealthy' } }, 3), false);
    expect(found.map(({ member, actual }) => [member, actual])).toEqual([
      ['memory', 'a process was killed for want of it'],
      ['restarts', '3'],
      ['health', 'unhealthy'],
    ]);
  });
});

describe('files inside', () => {
  const Mounts = [{ Destination: '/run/secrets' }] as ContainerDetails['Mounts'];
  const found = (changes: FileChange[], ReadonlyRootfs = true) => {
    const HostConfig = { ReadonlyRootfs, Tmpfs: { '/tmp': 'rw' } } as ContainerDetails['HostConfig'];
    return fileDrift(changes, { Mounts, HostConfig }).map(({ actual }) => actual);
  };
  const added = (...paths: string[]) => paths.map((path): FileChange => ({ path, kind: 'added' }));

  test('that an engine makes in every container, and what is mounted, do not count', () => {
    expect(found(added('/run', '/run/secrets', '/tmp', '/sbin', '/sbin/docker-init', '/etc', '/etc/hosts'))).toEqual(
      [],
    );
    expect(found(added('/usr', '/usr/sbin', '/usr/sbin/docker-init'))).toEqual([]);
  });

  test('that were put into the folder that an engine leaves when it copied files count, and the folder does not', () => {
    expect(found(added('/.pivot_root3884611434'))).toEqual([]);
    expect(found(added('/.pivot_root38', '/.pivot_root38/motd'))).toEqual(['/.pivot_root38/motd']);
    expect(found(added('/.pivot_root', '/srv/.pivot_root1'))).toEqual(['/.pivot_root, /srv/.pivot_root1']);
  });

  test('are named without the folders on the way, the first ones of many', () => {
    expect(found(added('/etc', '/etc/motd'))).toEqual(['/etc/motd']);
    expect(found(added('/var', '/var/a', '/var/a/b', '/var/log'))).toEqual(['/var/a/b, /var/log']);
    const many = Array.from({ length: 7 }, (_, index) => `/data/${index}`);
    expect(found(added(...many))).toEqual(['/data/0, /data/1, /data/2, /data/3, /data/4 and 2 more']);
  });

  test('that a program adds count only where none can: one that was changed or deleted counts everywhere', () => {
    const socket: FileChange[] = [{ path: '/run/db', kind: 'changed' }, ...added('/run/db/.s.PGSQL.5432')];
    expect(found(socket, false)).toEqual([]);
    expect(found(socket, true)).toEqual(['/run/db/.s.PGSQL.5432']);
    expect(found([{ path: '/bin/db', kind: 'changed' }], false)).toEqual(['/bin/db']);
    expect(found([{ path: '/etc/db.conf', kind: 'deleted' }], false)).toEqual(['/etc/db.conf']);
  });
});
