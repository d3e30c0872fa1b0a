import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FreezeWindow } from '../../../pipelines/model/freeze.ts';
import { wallTime, weekday } from '../../../pipelines/model/zoned-time.ts';
import { freezeAt } from '../../../pipelines/policy/freeze.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const at = (iso: string) => Date.parse(iso);
const untilOf = (windows: readonly FreezeWindow[], iso: string) => {
  const found = freezeAt(windows, at(iso));
  if (!found) return 'open';
  return found.until === undefined ? 'no end' : new Date(found.until).toISOString().slice(0, 16);
};

/** Friday 16:00 to Monday 08:00. */
const weekend = (zone = 'Europe/Berlin'): FreezeWindow => ({
  ...{ kind: 'weekly', zone, reason: 'nobody is there' },
  spans: [{ from: (4 * 24 + 16) * 60, until: 8 * 60 }],
});
const nights: FreezeWindow = {
  ...{ kind: 'weekly', zone: 'UTC' },
  spans: [0, 1, 2, 3, 4, 5, 6].map((each) => ({
    from: (each * 24 + 18) * 60,
    until: ((each + 1) % 7) * 1440 + 8 * 60,
  })),
};
const allDay = (...days: readonly number[]): FreezeWindow => ({
  ...{ kind: 'weekly', zone: 'UTC' },
  spans: days.map((each) => ({ from: each * 1440, until: (each + 1) * 1440 })),
});
const fixed = (from: string, until: string): FreezeWindow => ({
  ...{ kind: 'fixed', from: at(from), until: at(until), zone: 'UTC', reason: 'the feast' },
});

describe('a freeze', () => {
  test.each<[string, readonly FreezeWindow[], string, string]>([
    ['of no window', [], '2026-11-27T15:00Z', 'open'],
    ['a minute before the weekend', [weekend()], '2026-11-27T14:59Z', 'open'],
    ['from where the weekend begins', [weekend()], '2026-11-27T15:00Z', '2026-11-30T07:00'],
    ['in its middle', [weekend()], '2026-11-29T12:00Z', '2026-11-30T07:00'],
    ['to its last minute', [weekend()], '2026-11-30T06:59Z', '2026-11-30T07:00'],
    ['not where it ends', [weekend()], '2026-11-30T07:00Z', 'open'],
    ['as clocks show it in summer', [weekend()], '2026-07-04T12:00Z', '2026-07-06T06:00'],
    ['over the night when clocks go forward', [weekend()], '2026-03-28T12:00Z', '2026-03-30T06:00'],
    ['over the night when clocks go back', [weekend()], '2026-10-24T12:00Z', '2026-10-26T07:00'],
    ['by dates', [fixed('2026-12-20T00:00Z', '2027-01-03T00:00Z')], '2026-12-24T12:00Z', '2027-01-03T00:00'],
    ['not before its dates', [fixed('2026-12-20T00:00Z', '2027-01-03T00:00Z')], '2026-12-19T23:59Z', 'open'],
    ['of a night, also after midnight', [nights], '2026-11-25T03:00Z', '2026-11-25T08:00'],
    ['not on the day after', [nights], '2026-11-25T12:00Z', 'open'],
    ['of two whole days', [allDay(5, 6)], '2026-11-28T12:00Z', '2026-11-30T00:00'],
    ['of windows that follow one another', [allDay(5), weekend('UTC')], '2026-11-28T12:00Z', '2026-11-30T08:00'],
    [
      'of dates that end in a weekend',
      [fixed('2026-11-25T00:00Z', '2026-11-28T00:00Z'), weekend('UTC')],
      '2026-11-26T00:00Z',
      '2026-11-30T08:00',
    ],
    ['of every day', [allDay(0, 1, 2, 3, 4, 5, 6)], '2026-11-28T12:00Z', 'no end'],
  ])('%s', (_case, windows, when, expected) => expect(untilOf(windows, when)).toBe(expected));

  test('names the zone and the reason of the window that it is in', () => {
    expect(freezeAt([allDay(0), weekend()], at('2026-11-29T12:00Z'))).toMatchObject({
      zone: 'Europe/Berlin',
      reason: 'nobody is there',
    });
  });

  const time = fc.integer({ min: 0, max: 7 * 1440 - 1 });
  const span = fc.tuple(time, time).filter(([from, until]) => from !== until);
  const moment = fc.integer({ min: 0, max: 20 * 366 * 1440 }).map((minutes) => Date.UTC(2015, 0) + minutes * minute);
  const zone = fc.constantFrom('Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'UTC');

  /** What clocks show, in minutes since Monday. */
  const weekTime = (now: number, where: string) => {
    const wall = wallTime(now, where);
    return weekday(wall) * 1440 + Math.floor((((wall % day) + day) % day) / minute);
  };

  test('of every week holds whenever clocks show a time in it, and only then or in the hours when they are set', () => {
    fc.assert(
      fc.property(span, moment, zone, ([from, until], now, where) => {
        const shown = weekTime(now, where);
        const inside = from < until ? shown >= from && shown < until : shown >= from || shown < until;
        const frozen = freezeAt([{ kind: 'weekly', zone: where, spans: [{ from, until }] }], now) !== undefined;
        const offset = (moved: number) => wallTime(now + moved, where) - (now + moved);
        const isSet = new Set([-3, -2, -1, 0, 1, 2, 3].map((each) => offset(each * hour))).size > 1;
        if (inside || !isSet) expect(frozen).toBe(inside);
      }),
      { numRuns: 300 },
    );
  });

  test('ends when it says, and not before', () => {
    fc.assert(
      fc.property(fc.array(span, { minLength: 1, maxLength: 3 }), moment, zone, (spans, now, where) => {
        const windows: FreezeWindow[] = [
          { kind: 'weekly', zone: where, spans: spans.map(([from, until]) => ({ from, until })) },
        ];
        const found = freezeAt(windows, now);
        if (found?.until === undefined) return;
        expect(found.until).toBeGreaterThan(now);
        expect(freezeAt(windows, found.until)).toBeUndefined();
        expect(freezeAt(windows, found.until - 1)?.until).toBe(found.until);
        expect(freezeAt(windows, Math.floor((now + found.until) / 2))?.until).toBe(found.until);
      }),
      { numRuns: 60 },
    );
  });
});
