import { expect, test } from 'vitest';
import { hasOwnFolders, uidOf, withOwnedFolders } from '../../../infra/workloads/container/owned-folders.ts';

test.each<[string, number | undefined]>([
  ['', 0],
  ['1000', 1000],
  ['1000:50', 1000],
  ['1000:staff', 1000],
  ['node', undefined],
  ['node:node', undefined],
  ['+0', undefined],
])('the user %j has the number %j', (user, uid) => {
  expect(uidOf(user)).toBe(uid);
});

test('folders in memory are their user’s', () => {
  const body = { HostConfig: { Memory: 1, Tmpfs: { '/tmp': 'rw,size=1', '/run': 'rw,size=2' } } };
  const owned = withOwnedFolders(body, 1000);
  expect(owned).toEqual({
    HostConfig: { Memory: 1, Tmpfs: { '/tmp': 'rw,size=1,uid=1000', '/run': 'rw,size=2,uid=1000' } },
  });
  expect(hasOwnFolders(owned)).toBe(true);
  expect(hasOwnFolders({ HostConfig: { Tmpfs: { '/tmp': 'rw' } } })).toBe(false);
  expect(hasOwnFolders({})).toBe(false);
});
