import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withFileLock } from '../../../infra/system/file-lock.ts';

describe('a lock', () => {
  let folder: string;
  let lock: string;
  let inside: number;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'lockage-lock-'));
    lock = join(folder, 'lock');
    inside = 0;
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const work = async () => {
    expect(++inside).toBe(1);
    await sleep(1);
    inside--;
  };

  /** What a process leaves that is killed while it has the lock. */
  function leave(pid: string): void {
    mkdirSync(lock);
    writeFileSync(join(lock, 'pid'), pid);
  }

  /** As if the computer had slept, or its clock been put forward. */
  function age(): void {
    const then = new Date(Date.now() - 6 * 60_000);
    for (const name of readdirSync(lock)) utimesSync(join(lock, name), then, then);
    utimesSync(lock, then, then);
  }

  it('is not kept from anybody by what a killed process of the same number had begun', async () => {
    for (let count = 0; count < 20; count++) mkdirSync(`${lock}.${process.pid}.${count}`);
    await withFileLock(lock, 1000, work);
  });

  it('lets one in at a time', async () => {
    await Promise.all(Array.from({ length: 8 }, () => withFileLock(lock, 5000, work)));
    await expect(withFileLock(lock, 5000, () => withFileLock(lock, 50, work))).rejects.toThrow('another process holds');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('of a dead process is taken over by one of those who find it', async () => {
    const { pid } = spawnSync('true');
    for (let round = 0; round < 10; round++) {
      leave(`${pid}`);
      await Promise.all(Array.from({ length: 4 }, () => withFileLock(lock, 5000, work)));
    }
  });

  it('that lost its content with the power is taken over at once', async () => {
    leave('');
    await withFileLock(lock, 1000, work);
  });

  it('that was taken over as too old is not taken from the next holder by the first', async () => {
    let second: Promise<void> | undefined;
    let finish = () => undefined as void;
    await withFileLock(lock, 1000, async () => {
      age();
      await new Promise<void>((entered) => {
        second = withFileLock(lock, 1000, () => {
          entered();
          return new Promise<void>((done) => (finish = done));
        });
      });
    });
    await expect(withFileLock(lock, 200, work)).rejects.toThrow('another process holds');
    finish();
    await second;
    await withFileLock(lock, 1000, work);
  });

  it('of one that stands still is taken over once what it has begun has ended, and it learns of that', async () => {
    const silence = { longest: 300, end: (pid: number) => Promise.resolve(void ended.push(pid)) };
    const ended: number[] = [];
    let go = () => undefined as void;
    const stopped = new Promise<void>((resolve) => (go = resolve));
    // It has no such sign, as its process is stopped: its own begins after a minute.
    const late = withFileLock(lock, 1000, async (holds) => {
      await stopped;
      return holds();
    });
    await expect.poll(() => existsSync(lock)).toBe(true);
    const order: string[] = [];
    const heir = {
      ...silence,
      end: async (pid: number) => {
        order.push('ended');
        await silence.end(pid);
      },
    };
    const holds = await withFileLock(
      lock,
      5000,
      (isHeld) => {
        order.push('in');
        return isHeld();
      },
      heir,
    );
    go();
    expect([holds, await late, order, ended]).toEqual([true, false, ['ended', 'in'], [process.pid]]);
  });

  it('of one that works for long is left to it', async () => {
    const silence = { longest: 300, end: () => Promise.reject(new Error('it is well')) };
    const first = withFileLock(lock, 1000, () => sleep(1200), silence);
    await withFileLock(lock, 5000, work, silence);
    await first;
  });
});
