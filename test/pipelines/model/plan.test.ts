import { expect, test } from 'vitest';
import { changesOf } from '../../../pipelines/model/plan.ts';
import { placed } from './values.ts';

const [one, two, three] = [placed('web-1.0.0'), placed('web-2.0.0'), placed('web-3.0.0')];

test.each([
  ['a first promotion creates', [], [one], [], [], ['create web-1.0.0']],
  [
    'a promotion creates and keeps the earlier release',
    [one],
    [two],
    [one],
    [one],
    ['create web-2.0.0', 'standby web-1.0.0'],
  ],
  [
    'what is beyond the standby goes',
    [one, two],
    [three],
    [two],
    [two],
    ['create web-3.0.0', 'standby web-2.0.0', 'remove web-1.0.0'],
  ],
  ['a rollback lets a standby serve', [one, two], [one], [two], [two], ['serve web-1.0.0', 'standby web-2.0.0']],
  ['a rollback without one creates', [two], [one], [two], [two], ['create web-1.0.0', 'standby web-2.0.0']],
  [
    'what serves on is kept',
    [one, two],
    [one, three],
    [one, two],
    [],
    ['keep web-1.0.0', 'create web-3.0.0', 'remove web-2.0.0'],
  ],
])('%s', (_case, existing, serving, before, standby, expected) => {
  const changes = changesOf({ existing, serving, servingBefore: before, standby });
  expect(changes.map(({ action, name }) => `${action} ${name}`)).toEqual(expected);
});

test('a container of the same name on another host is another one', () => {
  const elsewhere = placed('web-1.0.0', 'prod-2');
  expect(changesOf({ existing: [one], serving: [elsewhere], servingBefore: [], standby: [] })).toEqual([
    { action: 'create', host: 'prod-2', role: 'web', version: '1.0.0', name: 'web-1.0.0' },
    { action: 'remove', host: 'prod-1', role: 'web', version: '1.0.0', name: 'web-1.0.0' },
  ]);
});
