import { spawnSync } from 'node:child_process';
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
