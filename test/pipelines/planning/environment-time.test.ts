import { describe, expect, test } from 'vitest';
import {
  lifeOf,
  timeOf,
  ttlOf,
  untilOf,
  usualTtl,
  type Remains,
} from '../../../pipelines/planning/environment-time.ts';
import { planReproduction, removalCommand } from '../../../pipelines/planning/plan-reproduction.ts';
import { reproducedEnvironment } from '../../../pipelines/planning/reproduced-environment.ts';
import { reproductionDifferences } from '../../../pipelines/planning/reproduction-differences.ts';
import type { Reproduction } from '../../../pipelines/model/reproduction.ts';
import { recordedWith, testImage } from '../../infra/registry/values.ts';
import { host, refusal, release, spec } from '../model/values.ts';

const of = { ...recordedWith(testImage('a'), testImage('b')), containers: [spec('web-1.4.0', 'prod-1')] };
const hour = 3_600_000;
const inputs = {
  ...{ of, name: 'pr-128', host: host('test-3'), scale: {}, secrets: {} },
  engine: { platform: 'linux/amd64', emulates: [], taken: new Map<number, string>() },
};
const timed = (ttl: number, until: number): Reproduction => planReproduction({ ...inputs, time: { ttl, until } });

describe('how long an environment is wanted', () => {
  test.each([
    ['10s', 10_000],
    ['90m', 1.5 * hour],
    ['4h', 4 * hour],
    ['30d', 720 * hour],
  ])('%s is %d ms', (text, ttl) => expect(ttlOf(text)).toBe(ttl));

  test.each(['9s', '31d', '721h', '0', '4', 'forever', '-1h', '1.5d'])('%s is refused', (text) => {
    expect(refusal(() => ttlOf(text))).toBe(
      `--ttl takes a time from 10s to 30d, not "${text}" | Write it as 90m, 4h or 3d.`,
    );
  });
});

describe('the time of an environment', () => {
  test('is counted from the clock of its host, four hours where nothing is said', () => {
    expect(timeOf({ ttl: undefined, now: 1000.2, of })).toEqual({ ttl: usualTtl, until: 15_401 });
    expect(timeOf({ ttl: hour, now: 1000, of })).toEqual({ ttl: hour, until: 4600 });
  });

  test('stays where the same is asked for again, and begins anew for another time or another release', () => {
    const before = timed(hour, 4600);
    expect(timeOf({ ttl: hour, now: 3000, of, before })).toEqual(before.time);
    expect(timeOf({ ttl: undefined, now: 3000, of, before })).toEqual(before.time);
    expect(timeOf({ ttl: 2 * hour, now: 3000, of, before })).toEqual({ ttl: 2 * hour, until: 10_200 });
    const other = { ...of, release: release('1.5.0', '5') };
    expect(timeOf({ ttl: hour, now: 3000, of: other, before })).toEqual({ ttl: hour, until: 6600 });
  });

  test.each([4600, 4600.5, 9000])('begins anew for what is still there at %d, when it is over', (now) => {
    const before = timed(hour, 4600);
    expect(timeOf({ ttl: undefined, now, of, before })).toEqual({ ttl: hour, until: Math.ceil(now + 3600) });
  });

  test('is part of the environment, which is of its own kind', () => {
    const time = { ttl: hour, until: 4600 };
    const made = planReproduction({ ...inputs, time });
    expect(reproducedEnvironment(made).reproduces).toEqual({
      ...{ environment: 'prod', revision: 12 },
      until: '1970-01-01T01:16:40.000Z',
    });
    expect([untilOf(time), removalCommand(made)]).toEqual(['1970-01-01T01:16:40.000Z', 'lockage env down pr-128']);
    const plain = planReproduction(inputs);
    expect(refusal(() => planReproduction({ ...inputs, time, before: plain }))).toBe(
      'pr-128 is a reproduction that stays | Give this one another name, or remove that one with `lockage destroy pr-128`.',
    );
    expect(refusal(() => planReproduction({ ...inputs, before: made }))).toMatch(
      /^pr-128 is an environment with a time \| .*`lockage env down pr-128`\.$/,
    );
  });

  test('another release than that of the revision is among what differs', () => {
    const other = planReproduction({
      ...inputs,
      of: { ...of, release: release('1.5.0', '5') },
      time: { ttl: hour, until: 1 },
    });
    const rows = reproductionDifferences(other, { original: [], here: {}, taken: new Map() });
    expect(rows.slice(0, 2).map(({ what, original, here, why }) => [what, original, here, why])).toEqual([
      ['hosts', of.hosts.join(', '), 'unix:///run/test-3.sock', 'one host is enough for it'],
      ['release', '1.4.0', '1.5.0', 'as --release says'],
    ]);
  });
});

describe('what is left of an environment', () => {
  test.each<[string, Remains, number]>([
    ['up', { isEmpty: false, until: 5000, now: 4999 }, 5000],
    ['up', { isEmpty: false, until: 9000, now: 7000 }, 9000],
    ['stays', { isEmpty: false, now: 7000 }, 5000],
    ['ending', { isEmpty: false, until: 5000, now: 5000 }, 5000],
    ['absent', { isEmpty: true, now: 4999 }, 5000],
    ['gone', { isEmpty: true, now: 5000 }, 5000],
  ])('%s: %j', (kind, remains, until) => {
    expect(lifeOf({ until: 5000 }, remains)).toEqual({ kind, until, now: remains.now });
  });
});
