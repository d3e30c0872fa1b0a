import { expect, test } from 'vitest';
import { forgetKeys, identityFile } from '../../../infra/machines/keys.ts';
import { loadBalancerFolder } from '../../../infra/machines/load-balancer/load-balancer.ts';
import { removeMachine } from '../../../infra/machines/machine.ts';
import { folderIn } from '../../../infra/system/folder-in.ts';

const places = { machines: '/s/machines', keys: '/s/keys', loadBalancers: '/s/fronts', images: '/s/images' };
const foreign = [
  '..',
  '.',
  '',
  '../prod',
  'a/b',
  '/etc',
  'a\0b',
  'a\n',
  '.hidden',
  'a..',
  '~',
  '-rf',
  'Prod',
  'a'.repeat(129),
];

test('a name leads one step down', () => {
  expect(folderIn('/s/machines', 'shop-prod-machine-1b')).toBe('/s/machines/shop-prod-machine-1b');
  expect(folderIn('/s/keys', 'prod', 'hosts', 'prod-1')).toBe('/s/keys/prod/hosts/prod-1');
});

test.each(foreign)('%j is no name that a path is made of', async (name) => {
  expect(() => folderIn('/s', name)).toThrow('is not a name');
  expect(() => folderIn('/s', 'prod', name)).toThrow('is not a name');
  expect(() => loadBalancerFolder(places, { environment: name })).toThrow('is not a name');
  expect(() => identityFile(places.keys, name)).toThrow('is not a name');
  await expect(forgetKeys(places.keys, name)).rejects.toThrow('is not a name');
  await expect(removeMachine(places, { app: 'shop', environment: 'prod', name })).rejects.toThrow('is not a name');
});
