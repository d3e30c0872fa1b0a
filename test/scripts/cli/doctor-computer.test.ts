import { afterEach, expect, test, vi } from 'vitest';
import { sshConfigChecks, userChecks } from '../../../scripts/cli/doctor/computer.ts';
import { environment } from '../../pipelines/model/values.ts';
import { sshHostOf } from '../../../pipelines/model/target-record.ts';

afterEach(() => vi.unstubAllEnvs());

test.each<readonly [string, Readonly<Record<string, string>>, string, string]>([
  ['HOME that is not there', { HOME: '/absent' }, 'home', 'LOCKAGE_CACHE'],
  ['TMPDIR that is not there', { TMPDIR: '/absent' }, 'tmp', 'TMPDIR'],
  ['TMPDIR that is no full path', { TMPDIR: 'tmp' }, 'tmp', 'TMPDIR'],
  ['TMPDIR that is empty', { TMPDIR: '' }, 'tmp', 'TMPDIR'],
  ['TMPDIR that is a device', { TMPDIR: '/dev/null' }, 'tmp', 'TMPDIR'],
])('a %s is found, with the variable that helps', async (_what, variables, name, hint) => {
  for (const [key, value] of Object.entries(variables)) vi.stubEnv(key, value);
  expect(await userChecks(true)).toContainEqual(
    expect.objectContaining({ name, level: 'warning', hint: expect.stringContaining(hint) }),
  );
});

test('an alias of an ssh_config is told from an address', async () => {
  const settings = { sshConfig: true } as const;
  const alias = sshHostOf({ name: 'web', url: 'ssh://web.invalid', address: 'web.invalid', ...settings });
  const named = sshHostOf({ name: 'api', url: 'ssh://api.invalid', address: '127.0.0.1', ...settings });
  const own = { ...environment(), ...settings, hosts: [alias, named] };
  expect(await sshConfigChecks(own)).toMatchObject([
    { level: 'good', text: 'hosts are reached as ~/.ssh/config says' },
    { name: 'web', level: 'warning', hint: expect.stringContaining('`address` of web') },
  ]);
  expect(await sshConfigChecks(environment())).toEqual([]);
});
