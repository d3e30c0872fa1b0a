import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, test, vi } from 'vitest';
import { isAlive } from '../../../infra/system/is-alive.ts';

afterEach(() => vi.restoreAllMocks());

test('a process that runs is alive, and one that has ended is not', () => {
  const { pid } = spawnSync('true');
  expect([isAlive(process.pid), isAlive(pid)]).toEqual([true, false]);
});

test("another user's process is alive", () => {
  const refused = Object.assign(new Error('kill EPERM'), { code: 'EPERM' });
  vi.spyOn(process, 'kill').mockImplementation(() => {
    throw refused;
  });
  expect(isAlive(1)).toBe(true);
});

test.each([0, -1, Number.NaN])('%s is no process', (pid) => {
  expect(isAlive(pid)).toBe(false);
});

test.runIf(process.platform === 'linux')(
  'a process that has ended is not alive where nobody waits for it',
  async () => {
    const parent = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] });
    try {
      const [line] = (await once(parent.stdout, 'data')) as [Buffer];
      await expect.poll(() => isAlive(Number(line.toString()))).toBe(false);
      expect(process.kill(Number(line.toString()), 0)).toBe(true);
    } finally {
      parent.kill('SIGKILL');
    }
  },
);
