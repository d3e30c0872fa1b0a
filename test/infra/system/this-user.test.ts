import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { cacheFolder } from '../../../infra/system/cache-folder.ts';
import { childEnvironment, daemonEnvironment } from '../../../infra/system/environment.ts';
import { systemError } from '../../../infra/system/system-error.ts';
import { homeFolder, temporaryRoot } from '../../../infra/system/this-user.ts';

afterEach(() => vi.unstubAllEnvs());

test.each([
  ['/home/anna', '/home/anna'],
  ['', userInfo().homedir],
  ['relative', userInfo().homedir],
  ['~', userInfo().homedir],
  [undefined, userInfo().homedir],
])('with HOME=%s the home is %s, for the programs that are started too', (value, expected) => {
  vi.stubEnv('HOME', value);
  expect(homeFolder()).toBe(expected);
  expect([childEnvironment()['HOME'], daemonEnvironment()['HOME']]).toEqual([expected, expected]);
});

test.each(['', undefined])('a program has a user where USER is %j', (value) => {
  vi.stubEnv('USER', value);
  expect(childEnvironment()['USER']).toBe(userInfo().username);
});

test.each(['/absent/x', 'relative', '', '/dev/null'])('TMPDIR=%s is passed over, for programs too', (value) => {
  vi.stubEnv('TMPDIR', value);
  expect(temporaryRoot()).toBe('/tmp');
  expect(childEnvironment()['TMPDIR']).toBe('/tmp');
});

test('a TMPDIR that can be written is used', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'l-'));
  try {
    await chmod(folder, 0o700);
    vi.stubEnv('TMPDIR', folder);
    expect([temporaryRoot(), childEnvironment()['TMPDIR']]).toEqual([folder, folder]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.each([
  [{ LOCKAGE_CACHE: '', XDG_CACHE_HOME: '', HOME: '/h' }, '/h/.cache/lockage'],
  [{ LOCKAGE_CACHE: '', XDG_CACHE_HOME: 'relative', HOME: '/h' }, '/h/.cache/lockage'],
  [{ LOCKAGE_CACHE: '', XDG_CACHE_HOME: '/c', HOME: '/h' }, '/c/lockage'],
  [{ LOCKAGE_CACHE: '/own', XDG_CACHE_HOME: '/c', HOME: '/h' }, '/own'],
  [{ LOCKAGE_CACHE: 'own', XDG_CACHE_HOME: '/c', HOME: '/h' }, join(process.cwd(), 'own')],
])('with %j the cache is %s', (variables, expected) => {
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  expect(cacheFolder()).toBe(expected);
});

const refusals = [
  'ENOSPC',
  'EDQUOT',
  'EROFS',
  'EACCES',
  'EMFILE',
  'ENAMETOOLONG',
  'ENOTDIR',
  'EISDIR',
  'ELOOP',
  'ESTALE',
];

test.each(refusals)('%s of the system is no bug', (code) => {
  const thrown = Object.assign(new Error(code), { code, syscall: 'open', path: '/x/state' });
  const { message, hint } = systemError(thrown) ?? {};
  expect(message).toMatch(/^\/x\/state \(open\): /);
  expect(hint).toMatch(/\.$/);
});

test('a folder that is gone is no bug for who stands in it', () => {
  const gone = Object.assign(new Error('ENOENT: no such file or directory, uv_cwd'), {
    ...{ code: 'ENOENT', syscall: 'uv_cwd' },
  });
  expect(systemError(gone)?.message).toBe('the folder that this was started in is not there any more');
});

test.each([new Error('x'), Object.assign(new Error('x'), { code: 'ERR_INVALID_ARG_TYPE' }), 'ENOSPC', undefined])(
  '%s stays what it is',
  (thrown) => expect(systemError(thrown)).toBeUndefined(),
);
