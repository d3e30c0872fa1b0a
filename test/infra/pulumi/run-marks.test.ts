import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { forgetEnded, forgetRun, markRun, marksLock, runsIn, type RunMark } from '../../../infra/pulumi/run-marks.ts';
import { isAlive } from '../../../infra/system/is-alive.ts';
import { startProcess } from '../../../infra/system/process.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockage-marks-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const startedAt = Date.parse('2026-01-01T12:00:00Z');
const here = { machine: 'runner', pidSpace: 'boot-1 pid:[1]' };
const mark: RunMark = { ...here, pid: 42, parent: 41, startedAt };
const lock = { machine: 'runner', pid: 42, since: '2026-01-01T12:00:01Z' };

test('a run is noted until it is forgotten', async () => {
  expect(await runsIn(folder)).toEqual([]);
  await markRun(folder, mark);
  await markRun(folder, { ...mark, pid: 43 });
  writeFileSync(join(folder, 'running/44.json'), '{"pid":');
  await forgetRun(folder, 43);
  expect(await runsIn(folder)).toEqual([mark]);
});

test('of runs that were killed, those are forgotten whose process would be seen from here', async () => {
  const gone = spawnSync('true').pid;
  const others = [
    { ...mark, pid: process.pid },
    { ...mark, pid: gone + 1_000_000_000, machine: 'desk' },
    { ...mark, pid: gone + 1_000_000_001, pidSpace: 'boot-1 pid:[2]' },
    { ...mark, pid: gone + 1_000_000_002, pidSpace: 'boot-0 pid:[1]' },
  ];
  for (const each of [{ ...mark, pid: gone }, ...others]) await markRun(folder, each);
  await forgetEnded(folder, here);
  const byPid = (a: RunMark, b: RunMark) => a.pid - b.pid;
  expect((await runsIn(folder)).toSorted(byPid)).toEqual(others.toSorted(byPid));
});

test('plugins of a run that was killed end as it is forgotten, and nothing that works elsewhere', async () => {
  const left: string[] = [];
  for (const place of [folder, tmpdir()]) {
    const shell = startProcess(['sh', '-c', 'set -m; sleep 60 >/dev/null 2>&1 & echo $!'], {
      detached: true,
      cwd: place,
    });
    left.push((await text(shell.stdout)).trim());
    await markRun(folder, { ...mark, pid: shell.pid ?? 0 });
  }
  const [plugin = 0, other = 0] = left.map(Number);
  expect([isAlive(plugin), isAlive(other)]).toEqual([true, true]);
  await forgetEnded(folder, here);
  await expect.poll(() => isAlive(plugin)).toBe(false);
  expect(isAlive(other)).toBe(true);
  process.kill(other, 'SIGKILL');
});

describe('the lock of Pulumi', () => {
  test('of a run that was started here is ours', () => {
    expect(marksLock([mark], lock, here)).toBe(true);
  });

  test.each<[string, readonly RunMark[], typeof lock, typeof here]>([
    ['that nobody has marked', [], lock, here],
    ['of a process of the same number in another container of the same name', [], lock, here],
    ['of a container of the same name that shares the folder', [{ ...mark, pidSpace: 'boot-1 pid:[2]' }], lock, here],
    ['from before the computer was restarted', [{ ...mark, pidSpace: 'boot-0 pid:[1]' }], lock, here],
    ['of another process', [mark], { ...lock, pid: 7 }, here],
    ['of another computer', [mark], { ...lock, machine: 'desk' }, here],
    ['of a computer that this one is not', [mark], lock, { ...here, machine: 'desk' }],
    ['that is older than the run of that number', [mark], { ...lock, since: '2026-01-01T11:59:00Z' }, here],
  ])('%s is not', (_which, runs, holder, place) => {
    expect(marksLock(runs, holder, place)).toBe(false);
  });
});
