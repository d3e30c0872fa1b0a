import { describe, expect, test } from 'vitest';
import { existingContainers } from '../../../pipelines/model/ledger.ts';
import { neededSecrets, secretsToRecord, standbyFor, surplusOf } from '../../../pipelines/planning/standby.ts';
import { failed, host, placed, record, revision, rolledBackTo, spec } from '../model/values.ts';

const [r1, r2, r3] = [revision(1, '1.0.0'), revision(2, '2.0.0'), revision(3, '3.0.0')];
const [one, two, three] = [placed('web-1.0.0'), placed('web-2.0.0'), placed('web-3.0.0')];
const names = (containers: readonly { spec: { name: string } }[]) => containers.map(({ spec: { name } }) => name);

test('containers of a revision that exist, each on its own host', () => {
  const twoHosts = { containers: [spec('web-1.0.0'), spec('web-1.0.0', 'prod-2')] };
  const there = record([], [one, two]);
  expect(existingContainers(there, twoHosts)).toEqual([one]);
});

describe('kept as standby', () => {
  test.each([
    ['the release before', 1, [r1, r2], [one, two], [three], ['web-2.0.0']],
    ['the two before', 2, [r1, r2], [one, two], [three], ['web-2.0.0', 'web-1.0.0']],
    ['none, if none is wanted', 0, [r1, r2], [one, two], [three], []],
    ['nothing of what serves', 2, [r1, r2, r3], [one, two, three], [two], ['web-3.0.0', 'web-1.0.0']],
    ['nothing of what failed', 2, [r1, failed(2, '2.0.0')], [one, two], [three], ['web-1.0.0']],
    ['an older one whose containers exist, if the last has none', 1, [r1, r2], [one], [three], ['web-1.0.0']],
    ['each set of containers once', 2, [r1, r2, rolledBackTo(3, r1)], [one, two], [three], ['web-1.0.0', 'web-2.0.0']],
  ])('%s', (_case, count, revisions, existing, serving, expected) => {
    expect(names(standbyFor(record(revisions, existing), count, serving))).toEqual(expected);
  });

  test('only those of its containers that will not serve', () => {
    const both = revision(1, '1.0.0', { containers: [spec('web-1.0.0'), spec('worker-1.0.0')] });
    const existing = [one, placed('worker-1.0.0')];
    expect(names(standbyFor(record([both], existing), 1, [one, two]))).toEqual(['worker-1.0.0']);
  });
});

describe('needed by nobody any more', () => {
  test.each([
    ['is what is neither served nor kept', 1, [r1, r2, r3], [one, two, three], ['web-1.0.0']],
    ['is nothing where all of it is kept', 2, [r1, r2, r3], [one, two, three], []],
    ['is every other one where none is kept', 0, [r1, r2, r3], [one, two, three], ['web-1.0.0', 'web-2.0.0']],
    ['is what failed', 1, [r1, r2, failed(3, '3.0.0')], [one, two, three], ['web-3.0.0']],
    ['is all of an environment that runs nothing', 1, [failed(1, '1.0.0')], [one], ['web-1.0.0']],
  ])('%s', (_case, count, revisions, existing, expected) => {
    expect(names(surplusOf(record(revisions, existing), count))).toEqual(expected);
  });
});

test('a version of a secret is recorded where its value is known or recorded, and never as empty', () => {
  const known = { ...record([]), secrets: [{ name: 'TOKEN', version: 'v1' }] };
  const serving = ['v1', 'v2', 'v3'].map((version) => ({
    host: host('prod-1'),
    spec: spec('web-1.0.0', 'prod-1', { secrets: { TOKEN: version } }),
  }));
  expect(secretsToRecord(serving, known).map(({ version }) => version)).toEqual(['v1']);
  expect(secretsToRecord(serving, known, { TOKEN: 'v3' }).map(({ version }) => version)).toEqual(['v1', 'v3']);
});

test('secrets of containers, revisions and the migration, each version once', () => {
  const withSecret = (name: string, secrets: Record<string, string>) => spec(name, 'prod-1', { secrets });
  const serving = [{ host: one.host, spec: withSecret('web-2.0.0', { TOKEN: 'new', KEY: 'k1' }) }];
  const ledger = { revisions: [revision(1, '1.0.0', { containers: [withSecret('web-1.0.0', { TOKEN: 'old' })] })] };
  const migration = withSecret('migration', { ADMIN: 'a1', KEY: 'k1' });
  expect(neededSecrets(serving, ledger, migration)).toEqual([
    { name: 'TOKEN', version: 'new' },
    { name: 'KEY', version: 'k1' },
    { name: 'TOKEN', version: 'old' },
    { name: 'ADMIN', version: 'a1' },
  ]);
});
