import { expect, test } from 'vitest';
import type { DataDump } from '../../../pipelines/model/revision.ts';
import { restoredDump } from '../../../pipelines/planning/restored-dump.ts';

const schema = { version: 1, compatible: 1, release: '1.0.0', revision: 1 };
const dump: DataDump = {
  ...{
    accessory: 'db',
    file: '.lockage/dumps/prod/db-r5-before-1.5.0.dump',
    bytes: 1000,
    at: '2026-01-02T00:00:00.000Z',
  },
  ...{ revision: 5, version: '1.5.0', schema, actor: 'anna@desk' },
};
const known: DataDump = { ...dump, sha256: 'a' };
const doubtful: DataDump = {
  ...known,
  file: '.lockage/dumps/prod/db-r6-before-1.5.0.dump',
  revision: 6,
  doubtful: true,
};
const taken = (file: string, bytes: number, sha256: string) => ({ file: `/home/ben/${file}`, bytes, sha256 });

test.each([
  ['by its contents, whatever its name', [known], taken('x.sql', 1000, 'a'), known],
  ['by its contents, for certain data rather than for others', [known, doubtful], taken('x.sql', 1000, 'a'), known],
  ['by name and length where an earlier record has no more', [dump], taken('db-r5-before-1.5.0.dump', 1000, 'a'), dump],
])('a dump is known %s', (_, dumps, file, expected) => {
  expect(restoredDump(dumps, 'db', file)).toEqual({ dump: expected });
});

test.each([
  ['has the name', known, taken('db-r5-before-1.5.0.dump', 1000, 'b')],
  ['has the name', dump, taken('db-r5-before-1.5.0.dump', 999, 'b')],
  ['is as long', known, taken('x.sql', 1000, 'b')],
  ['is as long', dump, taken('x.sql', 1000, 'b')],
])('what only %s as a dump is not taken for it, and why is said', (how, recorded, file) => {
  expect(restoredDump([recorded], 'db', file)).toEqual({
    note: expect.stringMatching(
      new RegExp(`^${file.file} ${how} .*no migration runs once more.*--force-schema REASON`),
    ),
  });
});

test('any other file is none, and the dump of another accessory, without a word', () => {
  expect(restoredDump([known], 'db', taken('x.sql', 999, 'b'))).toEqual({});
  expect(restoredDump([known], 'queue', taken('db-r5-before-1.5.0.dump', 1000, 'a'))).toEqual({});
  expect(restoredDump(undefined, 'db', taken('x.sql', 999, 'b'))).toEqual({});
});
