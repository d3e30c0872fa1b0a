import { expect, test } from 'vitest';
import { lockNotes } from '../../../scripts/project/locked-package.ts';

const lockOf = (resolved: string, more = {}) =>
  JSON.stringify({ lockfileVersion: 3, packages: { '': {}, 'node_modules/lockage': { resolved, ...more } } });

test.each([
  ['a registry', lockOf('https://npm.example.com/lockage/-/lockage-0.1.0.tgz'), ''],
  ['a repository of git', lockOf('git+ssh://git@example.com/acme/lockage.git#0123'), ''],
  ['a file of the project', lockOf('file:vendor/lockage-0.1.0.tgz'), ''],
  ['a file of the repository above the project', lockOf('file:../../vendor/lockage-0.1.0.tgz'), 'services/shop'],
  ['a folder of the repository', lockOf('../tools/lockage', { link: true }), 'shop'],
])('Lockage from %s comes to a workflow', (_where, lock, folder) => expect(lockNotes(lock, folder)).toEqual([]));

test.each([
  ['a file beside the repository', lockOf('file:../lockage/lockage-0.1.0.tgz'), ''],
  ['a file further up', lockOf('file:../../../lockage-0.1.0.tgz'), 'services/shop'],
  ['a folder beside it', lockOf('../lockage', { link: true }), ''],
  ['a file of this computer', lockOf('file:/home/anna/lockage-0.1.0.tgz'), ''],
])('Lockage from %s does not, which is said', (_where, lock, folder) => {
  expect(lockNotes(lock, folder)).toEqual([expect.stringContaining('which is not in the repository')]);
});

test.each([undefined, '', '{', 'null', '{}', '{"packages":{}}', '{"packages":{"node_modules/lockage":{}}}'])(
  'a lock without it is said: %j',
  (lock) => expect(lockNotes(lock, '')).toEqual([expect.stringContaining('no package-lock.json has lockage')]),
);
