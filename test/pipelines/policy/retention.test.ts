import { describe, expect, test } from 'vitest';
import type { PlacedContainer } from '../../../pipelines/model/desired-state.ts';
import type { Release } from '../../../pipelines/model/release.ts';
import type { Ledger, Revision } from '../../../pipelines/model/revision.ts';
import {
  keptInRegistry,
  keptMachineImages,
  keptOnHosts,
  reasonToGo,
  type Kept,
} from '../../../pipelines/policy/retention.ts';
import { host, release, revision, spec } from '../model/values.ts';

const digits = '123456789abcdef'.split('');
const releases = digits.map((digit, index) => release(`${index + 1}.0.0`, digit));
const ran = (...majors: number[]): Ledger => ({
  revisions: majors.map((major) => ({
    ...revision(major, `${major}.0.0`),
    release: releases[major - 1] ?? release('1.0.0'),
  })),
});
const placed = (version: string): PlacedContainer => ({ host: host('prod-1'), spec: spec(`web-${version}`) });
const place = (name: string, ledger: Ledger, containers: readonly PlacedContainer[] = []) => ({
  name,
  record: { ledger, containers },
});
const majors = (kept: Kept) =>
  [...kept.keys()].map((digest) => digits.indexOf(digest.slice(-1)) + 1).sort((a, b) => a - b);
const failed = (number: number, major: number, result: Revision['result']): Revision => ({
  ...revision(number, `${major}.0.0`),
  release: releases[major - 1] ?? release('1.0.0'),
  result,
});

describe('hosts keep the image of', () => {
  const kept = (ledgers: readonly Ledger[], recorded: readonly Release[]) =>
    majors(keptOnHosts({ environments: ledgers.map((ledger, at) => place(`e${at}`, ledger)), releases: recorded }));

  test.each<[string, number[], Ledger[], Release[]]>([
    ['the last good releases of each environment', [1, 2, 5, 6, 7, 8, 9], [ran(4, 5, 6, 7, 8, 9), ran(1, 2)], []],
    ['a release that no environment has yet', [1, 2, 3], [ran(1, 2), ran(1)], releases.slice(0, 3)],
    [
      'one that failed, which may be tried again',
      [1, 2],
      [{ revisions: [...ran(1).revisions, failed(2, 2, 'failed')] }],
      releases.slice(0, 2),
    ],
    ['no more than ten that wait', [1, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], [ran(1)], releases],
    ['none that ran well and is left behind', [2, 3, 4, 5, 6], [ran(1, 2, 3, 4, 5, 6)], releases.slice(0, 6)],
  ])('%s', (_case, expected, ledgers, recorded) => {
    expect(kept(ledgers, recorded)).toEqual(expected);
  });

  test('each with its first reason', () => {
    const prod = place('prod', ran(1, 2, 3, 4, 5, 6, 7), [placed('1.0.0')]);
    const qa = place('qa', { revisions: [...ran(8).revisions, failed(9, 2, 'unfinished')] });
    const found = keptOnHosts({ environments: [prod, qa], releases });
    const reason = (major: number) => found.get(releases[major - 1]?.digest ?? '');
    expect(reason(7)).toBe('it serves in prod');
    expect(reason(1)).toBe('it is a standby in prod');
    expect(reason(6)).toBe('prod may go back to revision 6');
    expect(reason(2)).toBe('an attempt at it in qa did not end');
    expect(reason(15)).toBe('it may be promoted next');
  });

  test('what an environment is on hold for, although it is left behind', () => {
    const hold = { since: '', actor: 'anna', reason: 'slow', version: '1.0.0' };
    const prod = place('prod', { ...ran(1, 2, 3, 4, 5, 6), hold });
    const found = keptOnHosts({ environments: [prod], releases: releases.slice(0, 6) });
    expect(found.get(releases[0]?.digest ?? '')).toBe('prod is on hold since it was rolled back');
  });
});

describe('the registry keeps', () => {
  test('also what hosts have no more, as far as a rollback can name it', () => {
    const graph = { environments: [place('prod', ran(1, 2, 3, 4, 5, 6))], releases: releases.slice(0, 6) };
    expect(majors(keptOnHosts(graph))).toEqual([2, 3, 4, 5, 6]);
    expect(keptInRegistry(graph).get(releases[0]?.digest ?? '')).toBe('prod may go back to revision 1');
  });

  test('what was built elsewhere, although nobody here needs it', () => {
    const adopted = releases.map((each, at) => (at === 0 ? { ...each, adopted: true } : each));
    const found = keptInRegistry({ environments: [place('prod', ran(15))], releases: adopted });
    expect(majors(found)).toEqual([1, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
  });
});

test('what goes says where it ran', () => {
  const graph = { environments: [place('qa', ran(1, 2, 3, 4, 5, 6))], releases };
  expect(reasonToGo(releases[0]?.digest ?? '', graph)).toBe(
    'it ran in qa (revision 1), where the last 5 good releases are kept',
  );
  expect(reasonToGo(releases[8]?.digest ?? '', graph)).toBe(
    'it ran well nowhere, and the last 10 of that kind are kept',
  );
});

test('an image of machines is kept that some are made from, that a revision ran on, and the newest of its kind', () => {
  const image = (version: string, digest: string) => ({
    ...{ kind: 'lxc' as const, version, digest, builder: 'anna@desk', createdAt: '2026-01-01' },
  });
  const images = ['a', 'b', 'c', 'd'].map((digest, at) => image(`1.${at}.0`, digest));
  const ledger = { revisions: [{ ...revision(3, '1.0.0'), machineImage: 'b' }] };
  expect(Object.fromEntries(keptMachineImages([{ name: 'prod', image: 'a', ledger }], images))).toEqual({
    a: 'machines of prod are made from it',
    b: 'revision 3 of prod ran on it',
    d: 'it is the newest of lxc machines',
  });
});
