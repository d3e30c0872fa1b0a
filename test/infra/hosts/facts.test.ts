import { describe, expect, test } from 'vitest';
import { diskOf } from '../../../infra/edge/disk.ts';
import { availableMemory, clockOf } from '../../../infra/hosts/facts.ts';

describe('the file system in the output of df', () => {
  const header = 'Filesystem           1024-blocks    Used Available Capacity Mounted on\n';

  test.each([
    ['one line', `${header}/dev/vda1             1000        400       600  40% /live\n`],
    ['spaces in the name of the device', `${header}map auto home  1000  400  600  40% /live\n`],
  ])('%s', (_case, text) => {
    expect(diskOf(text)).toEqual({ total: 1_024_000, free: 614_400 });
  });

  test.each([[''], [header], ['df: /live: No such file or directory\n']])('nothing in %j', (text) => {
    expect(diskOf(text)).toBeUndefined();
  });
});

test('memory that is available, where the kernel says it', () => {
  expect(availableMemory('MemTotal:  2048 kB\nMemFree:  5 kB\nMemAvailable:    1024 kB\n')).toBe(1_048_576);
  expect(availableMemory('MemTotal:  2048 kB\n')).toBeUndefined();
});

describe('a clock', () => {
  const asked = Date.parse('2026-01-01T12:00:00.000Z');

  test.each([
    ['2026-01-01T12:00:00.010000123Z', 0],
    ['2026-01-01T14:00:02.010000123+02:00', 2000],
    ['2026-01-01T11:59:59.010Z', -1000],
  ])('that shows %s is %d ms ahead', (time, ahead) => {
    expect(clockOf(time, asked, asked + 20)).toEqual({ ahead, precision: 10 });
  });

  test('that says nothing that can be read', () => {
    expect(clockOf('', asked, asked + 20)).toBeUndefined();
  });
});
