import { expect, test } from 'vitest';
import type { ContainerSpec } from '../../../pipelines/model/container-spec.ts';
import { differencesOf } from '../../../pipelines/planning/differences.ts';
import { spec } from '../model/values.ts';

const web = (changes: Partial<ContainerSpec> = {}, on = 'prod-1') => spec('web-1.0.0', on, changes);
const env = { LOG: 'info', LOCKAGE_VERSION: '1.0.0', LOCKAGE_HOST: 'prod-1' };
const { limits } = web();

test.each<[string, ContainerSpec[], ContainerSpec[], unknown[]]>([
  [
    'another release of the same configuration',
    [web({ env })],
    [web({ env: { ...env, LOCKAGE_VERSION: '2.0.0' } })],
    [],
  ],
  ['the same on another host', [web({ env })], [web({ env: { ...env, LOCKAGE_HOST: 'prod-2' } }, 'prod-2')], []],
  [
    'a limit',
    [web()],
    [web({ limits: { ...limits, memory: 512 } })],
    [{ role: 'web', key: 'limits.memory', change: 'changed', from: '256', to: '512' }],
  ],
  [
    'variables, without their values',
    [web({ env: { A: 'one', B: 'two' } })],
    [web({ env: { A: 'three', C: 'four' } })],
    [
      { role: 'web', key: 'env.A', change: 'changed' },
      { role: 'web', key: 'env.B', change: 'gone' },
      { role: 'web', key: 'env.C', change: 'new' },
    ],
  ],
  [
    'a secret, without its version',
    [web({ secrets: { TOKEN: 'aaaa' } })],
    [web({ secrets: { TOKEN: 'bbbb' } })],
    [{ role: 'web', key: 'secrets.TOKEN', change: 'changed' }],
  ],
  [
    'a command, as a whole',
    [web()],
    [web({ command: ['serve', '--fast'] })],
    [{ role: 'web', key: 'command', change: 'new', to: '["serve","--fast"]' }],
  ],
  [
    'the number of containers on a host',
    [web()],
    [web(), web({ name: 'web-1.0.0-2' })],
    [{ role: 'web', key: 'count', change: 'changed', from: '1', to: '2' }],
  ],
  [
    'roles that come and go',
    [web(), spec('worker-1.0.0')],
    [web(), spec('mailer-1.0.0')],
    [
      { role: 'mailer', change: 'new' },
      { role: 'worker', change: 'gone' },
    ],
  ],
])('tells of %s', (_case, before, after, expected) => {
  expect(differencesOf(before, after)).toEqual(expected);
});
