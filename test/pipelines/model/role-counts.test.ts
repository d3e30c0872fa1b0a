import { expect, test } from 'vitest';
import { countNotes, countsNow, withCounts } from '../../../pipelines/model/role-counts.ts';
import { environment, role } from './values.ts';

const prod = environment({ roles: [role({ count: 4 }), role({ name: 'job', count: 1 })] });

test('a number that an operator gave holds until the configuration says another', () => {
  const night = countsNow(prod, {}, { web: 2 });
  expect(night).toEqual({ web: { count: 2, configured: 4 } });
  expect(countsNow(prod, night)).toEqual(night);
  const changed = environment({ roles: [role({ count: 6 })] });
  expect(countsNow(changed, night)).toEqual({});
});

test('the newest number wins, and the configured one needs no record', () => {
  const night = countsNow(prod, {}, { web: 2, job: 3 });
  expect(countsNow(prod, night, { web: 8 })).toEqual({
    web: { count: 8, configured: 4 },
    job: { count: 3, configured: 1 },
  });
  expect(countsNow(prod, night, { web: 4 })).toEqual({ job: { count: 3, configured: 1 } });
});

test('an environment has the numbers that hold, and a plan says which', () => {
  const counts = countsNow(prod, {}, { web: 2 });
  expect(withCounts(prod, counts).roles.map(({ name, count }) => `${name} ${count}`)).toEqual(['web 2', 'job 1']);
  expect(countNotes(counts)).toEqual(['web is scaled to 2; the configuration says 4']);
});

test('a role may be called as what every object has', () => {
  const odd = environment({ roles: [role({ name: 'constructor', count: 3 })] });
  const counts = countsNow(odd);
  expect([counts, withCounts(odd, counts).roles.map(({ count }) => count)]).toEqual([{}, [3]]);
  const scaled = countsNow(odd, {}, { constructor: 2 });
  expect(withCounts(odd, scaled).roles.map(({ count }) => count)).toEqual([2]);
});
