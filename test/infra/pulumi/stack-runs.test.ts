import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { HeldLock } from '../../../infra/context/held-lock.ts';
import { markRun, runsIn } from '../../../infra/pulumi/run-marks.ts';
import { StackRuns } from '../../../infra/pulumi/stack-runs.ts';
import { thisProcess } from '../../../infra/system/this-process.ts';

let folder: string;
let stack: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockage-runs-'));
  stack = join(folder, 'prod');
  mkdirSync(stack);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const runs = (lock?: HeldLock) =>
  new StackRuns({ backend: `file://${folder}`, passphrase: 'a passphrase', folder }, 'shop', lock);

test('the marks of runs that were killed stay until a run has found no lock of theirs', async () => {
  await markRun(stack, { ...(await thisProcess()), pid: spawnSync('true').pid, parent: 1, startedAt: 0 });
  await expect(runs().afterStaleLock('prod', () => Promise.reject(new Error('no space left')))).rejects.toThrow();
  expect(await runsIn(stack)).toHaveLength(1);
  await runs().afterStaleLock('prod', async () => undefined);
  expect(await runsIn(stack)).toEqual([]);
});

test('a run whose mark cannot be written ends as it ends, and is listened for no longer', async () => {
  writeFileSync(join(stack, 'running'), 'in the way');
  let listening = 0;
  const lock: HeldLock = {
    check: async () => undefined,
    onLost: () => {
      listening += 1;
      return () => (listening -= 1);
    },
    holdsOn: () => true,
    turnOf: (turn) => turn,
  };
  expect(await runs(lock).run('prod', ['version'])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^\d+\.\d+/),
  });
  expect(listening).toBe(0);
});
