import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isZone, momentsOf, wallTime, weekday, zonedText } from '../../../pipelines/model/zoned-time.ts';

const hour = 3_600_000;
/** Summer time in both halves of the world, of half an hour, by a quarter; a day that was skipped, and none at all. */
const zones = [
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'America/Sao_Paulo',
  'Pacific/Apia',
  'Africa/Casablanca',
  'UTC',
] as const;
const zone = fc.constantFrom(...zones);
const minute = 60_000;
const moment = fc
  .integer({ min: Date.UTC(2000, 0) / minute, max: Date.UTC(2037, 0) / minute })
  .map((each) => each * minute);
const at = (iso: string) => Date.parse(iso);
const shown = (wall: number) => new Date(wall).toISOString().slice(0, 16);

describe('a wall time', () => {
  test.each([
    ['2026-07-01T12:00:00Z', 'Europe/Berlin', '2026-07-01T14:00'],
    ['2026-12-31T23:30:00Z', 'Europe/Berlin', '2027-01-01T00:30'],
    ['2026-01-01T00:00:00Z', 'America/New_York', '2025-12-31T19:00'],
    ['2026-01-01T00:00:00Z', 'Asia/Kathmandu', '2026-01-01T05:45'],
  ])('at %s in %s is %s', (iso, where, expected) => expect(shown(wallTime(at(iso), where))).toBe(expected));

  test('is of a moment that has it', () => {
    fc.assert(
      fc.property(moment, zone, (when, where) => {
        const { first, last } = momentsOf(wallTime(when, where), where);
        expect([first, last]).toContain(when);
        expect(first).toBeLessThanOrEqual(last);
      }),
    );
  });

  test('is the moment when clocks jump over it, where none shows it', () => {
    fc.assert(
      fc.property(moment, zone, (wall, where) => {
        const { first, last } = momentsOf(wall, where);
        const isShown = wallTime(first, where) === wall;
        expect(wallTime(last, where) === wall).toBe(isShown);
        if (isShown) return;
        expect(last).toBe(first);
        expect(wallTime(first, where)).toBeGreaterThan(wall);
        expect(wallTime(first - 1, where)).toBeLessThan(wall);
      }),
    );
  });

  test.each([
    ['skipped in spring', '2026-03-29T02:30:00Z', '2026-03-29T01:00:00.000Z', '2026-03-29T01:00:00.000Z'],
    ['twice in autumn', '2026-10-25T02:30:00Z', '2026-10-25T00:30:00.000Z', '2026-10-25T01:30:00.000Z'],
    ['once', '2026-10-25T03:30:00Z', '2026-10-25T02:30:00.000Z', '2026-10-25T02:30:00.000Z'],
  ])('that is %s', (_case, wall, first, last) => {
    const found = momentsOf(at(wall), 'Europe/Berlin');
    expect([found.first, found.last].map((each) => new Date(each).toISOString())).toEqual([first, last]);
  });

  test('on a day that a zone left out is the moment when it changed sides', () => {
    const { first } = momentsOf(at('2011-12-30T12:00:00Z'), 'Pacific/Apia');
    expect([shown(wallTime(first - 1, 'Pacific/Apia')), shown(wallTime(first, 'Pacific/Apia'))]).toEqual([
      '2011-12-29T23:59',
      '2011-12-31T00:00',
    ]);
  });
});

test('a day of the week', () => {
  const days = ['2026-11-23', '2026-11-29', '1969-12-29', '1970-01-01'].map((date) => weekday(at(`${date}T23:59:00Z`)));
  expect(days).toEqual([0, 6, 0, 3]);
});

test('a moment as people there write it', () => {
  expect(zonedText(at('2026-11-30T07:00:00Z'), 'Europe/Berlin')).toBe('2026-11-30 08:00 Europe/Berlin');
  expect(zonedText(at('2026-11-30T07:00:00Z') + hour / 3, 'UTC')).toBe('2026-11-30 07:20 UTC');
});

test.each([
  ['Europe/Berlin', true],
  ['UTC', true],
  ['Asia/Kolkata', true],
  ['Europe/Berln', false],
  ['+02:00', false],
  ['', false],
])('%j is a zone: %s', (name, expected) => expect(isZone(name)).toBe(expected));
