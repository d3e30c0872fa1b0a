import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { withRevision } from '../../../pipelines/model/ledger.ts';
import type { Ledger, Revision } from '../../../pipelines/model/revision.ts';
import { serviceOf } from '../../../pipelines/policy/soak.ts';
import { failed, record, release, revision, rolledBackTo } from '../model/values.ts';

const hour = 3_600_000;
const day = 24 * hour;
const zero = Date.parse('2026-01-01T00:00:00Z');
const iso = (hours: number) => new Date(zero + hours * hour).toISOString();
/** A revision that was recorded at an hour. */
const at = (hours: number, made: Revision): Revision => ({ ...made, startedAt: iso(hours), duration: 0 });
const ours = release('1.0.0');
const served = (hours: number, revisions: readonly Revision[], changes: Parameters<typeof record>[2] = {}) => {
  const { longest, since, ...rest } = serviceOf(record(revisions, [], changes), ours, zero + hours * hour);
  return { hours: longest / hour, ...(since === undefined ? {} : { since: (since - zero) / hour }), ...rest };
};

const r1 = revision(1, '1.0.0');
const r2 = revision(2, '2.0.0');
const hold = { since: iso(5), actor: 'anna@desk', reason: 'slow', version: '2.0.0' };
const [from0, then3] = [at(0, r1), at(3, r2)];

describe('1.0.0 has served', () => {
  test.each<[string, Revision[], object]>([
    ['nothing where it never came', [at(0, r2)], { hours: 0 }],
    ['nothing where it failed', [at(0, failed(1, '1.0.0'))], { hours: 0 }],
    ['since it was recorded', [from0], { hours: 10, since: 0 }],
    ['from the record, not from the begin', [{ ...from0, duration: 2 * hour }], { hours: 8, since: 2 }],
    ['until another release came', [from0, then3], { hours: 3 }],
    ['until it was archived', [{ ...from0, ended: iso(4) }], { hours: 4 }],
    [
      'since it came again after that, if that is longer',
      [{ ...from0, ended: iso(2) }, at(5, { ...r1, number: 2 })],
      { hours: 5, since: 5 },
    ],
    [
      'no longer while it was archived',
      [{ ...from0, ended: iso(2) }, at(5, { ...r1, number: 2, ended: iso(6) })],
      { hours: 2 },
    ],
    ['on, where another one failed', [from0, at(3, failed(2, '2.0.0'))], { hours: 10, since: 0 }],
    [
      'on, with other numbers of containers',
      [from0, at(3, { ...r1, number: 2, kind: 'scale' })],
      { hours: 10, since: 0 },
    ],
    ['on, with other machines', [from0, at(3, { ...r1, number: 2, kind: 'image' })], { hours: 10, since: 0 }],
    ['anew since another configuration', [from0, at(7, { ...r1, number: 2 })], { hours: 7, since: 7 }],
    [
      'anew since a repair, with nothing before it',
      [from0, at(7, { ...r1, number: 2, kind: 'repair' })],
      { hours: 3, since: 7 },
    ],
    [
      'nothing once a rollback left it',
      [at(0, r2), at(1, { ...r1, number: 3 }), at(9, rolledBackTo(4, r2))],
      { hours: 0 },
    ],
    [
      'before, also where a rollback brought it back',
      [from0, then3, at(9, rolledBackTo(3, r1))],
      { hours: 3, since: 9 },
    ],
    ['the longest of several times', [from0, at(4, r2), at(8, { ...r1, number: 3 })], { hours: 4, since: 8 }],
  ])('%s', (_case, revisions, expected) => expect(served(10, revisions)).toEqual(expected));

  test('nothing more while the environment is on hold, and anew once that is lifted', () => {
    const back = [at(0, r1), at(0.5, r2), at(5, rolledBackTo(3, r1))];
    expect(served(10, back, { hold })).toEqual({ hours: 0.5, held: true });
    expect(served(10, back, { resumed: iso(9) })).toEqual({ hours: 1, since: 9 });
    expect(served(10, back, { resumed: iso(4) })).toEqual({ hours: 5, since: 5 });
  });

  test('in the future, where a clock is wrong: of who recorded it, or of who asks', () => {
    expect(served(-24, [from0])).toEqual({ hours: 0, since: 0, future: zero });
    expect(served(10, [from0, at(34, r2)])).toMatchObject({ future: zero + 34 * hour });
    expect(served(10, [from0], { resumed: iso(11) })).toMatchObject({ future: zero + 11 * hour });
    expect(served(-0.05, [from0])).toEqual({ hours: 0, since: 0 });
  });

  test('no longer than since the change before, also where it was recorded with a clock that was a day behind', () => {
    const behind = at(-20, { ...r1, number: 3 });
    expect(served(10, [at(0, r1), at(4, r2), behind])).toEqual({ hours: 6, since: 4 });
  });

  test('nothing where the record is full, and what came after it may not be in it any more', () => {
    const later = Array.from({ length: 40 }, (_, index) => at(4 + index, { ...r2, number: index + 2, kind: 'repair' }));
    const full = [...later].reduce<Ledger>(withRevision, { revisions: [from0] });
    expect(full.revisions.map(({ number }) => number).slice(0, 2)).toEqual([1, 13]);
    expect(served(100, full.revisions)).toEqual({ hours: 0 });
    const failures = Array.from({ length: 40 }, (_, index) => at(4 + index, failed(index + 2, '2.0.0')));
    expect(served(100, failures.reduce<Ledger>(withRevision, { revisions: [from0] }).revisions)).toEqual({
      hours: 100,
      since: 0,
    });
  });

  test('an unknown time, where a time that is recorded is none', () => {
    expect(served(10, [{ ...r1, startedAt: 'yesterday' }]).future).toBe(Number.POSITIVE_INFINITY);
  });

  test('never longer than all the time there was, and less where more was noted', () => {
    const kinds = fc.constantFrom<Revision['kind'][]>('promote', 'rollback', 'repair', 'scale', 'image');
    const event = fc.record({
      gap: fc.integer({ min: 1, max: 48 }),
      kind: kinds,
      other: fc.boolean(),
      good: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 12 }), fc.integer({ min: 0, max: 48 }), (events, rest) => {
        let hours = 0;
        const revisions = events.map(({ gap, kind, other, good }, index) => {
          hours += gap;
          const made = revision(index + 1, other ? '2.0.0' : '1.0.0', { kind, result: good ? 'succeeded' : 'failed' });
          return at(hours, made);
        });
        const now = zero + (hours + rest) * hour;
        const { longest, future } = serviceOf(record(revisions), ours, now);
        expect([future, longest >= 0, longest <= now - zero]).toEqual([undefined, true, true]);
        // A rollback to another release leaves nothing.
        const left = rolledBackTo(events.length + 1, revision(99, '2.0.0'));
        const after = [...revisions, at(hours + rest, left)];
        const last = revisions.findLast(({ result }) => result === 'succeeded');
        if (last?.release.digest === ours.digest) expect(serviceOf(record(after), ours, now + day).longest).toBe(0);
      }),
    );
  });
});
