import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { storedCredentials } from '../../../infra/registry/credentials.ts';
import { detailsOf, LockageError } from '../../../pipelines/errors.ts';

const registry = 'r.example.com';
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockage-credentials-'));
  vi.stubEnv('PATH', `${folder}${delimiter}${process.env['PATH']}`);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

async function outcome(config: string): Promise<unknown> {
  await writeFile(join(folder, 'config.json'), config);
  try {
    return await storedCredentials(registry, folder);
  } catch (error) {
    if (!(error instanceof LockageError)) throw error;
    const text = [error.message, ...detailsOf(error)].join('\n');
    // eslint-disable-next-line no-control-regex
    expect(text).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
    expect(text.length).toBeLessThan(1000);
    return 'refused';
  }
}

async function helper(script: string): Promise<void> {
  await writeFile(join(folder, 'docker-credential-odd'), `#!/bin/sh\n${script}\n`);
  await chmod(join(folder, 'docker-credential-odd'), 0o755);
}

describe('Docker’s own settings', () => {
  test.each([
    ['null', undefined],
    ['[]', undefined],
    ['"text"', undefined],
    ['{"auths":null,"credHelpers":null,"credsStore":null}', undefined],
    ['{"auths":[],"credHelpers":"x"}', undefined],
    [`{"auths":{"${registry}":null}}`, undefined],
    [`{"auths":{"${registry}":{"auth":5,"identitytoken":{}}}}`, undefined],
    [`{"auths":{"${registry}":{"auth":"////"}}}`, undefined],
    [`{"auths":{"__proto__":{"auth":"bWU6eA=="}}}`, undefined],
    [`{"auths":{"${registry}":{"auth":"bWU6eA=="}},"credsStore":5}`, { username: 'me', password: 'x' }],
    ['{"credsStore":"../../bin/sh"}', 'refused'],
    ['{"credsStore":"\\u001b[31m;x"}', 'refused'],
    ['<html>', 'refused'],
    ['', 'refused'],
    ['{"auths":', 'refused'],
  ])('that are %s give %j', async (config, expected) => {
    expect(await outcome(config)).toEqual(expected);
  });
});

describe('a credential helper', () => {
  const config = '{"credsStore":"odd"}';

  test.each([
    ['null', 'echo null'],
    ['a list', 'echo []'],
    ['other types', `echo '{"Username":1,"Secret":{}}'`],
    ['HTML', 'echo "<html>Sign in</html>"'],
    ['escapes', String.raw`printf '\033]0;title\007\033[31m'; exit 1`],
    ['a long line', 'head -c 200000 /dev/zero | tr "\\0" x; exit 1'],
    ['bytes that are no text', String.raw`printf '\377\376\001'; exit 1`],
    ['without an end', 'yes'],
  ])('that prints %s is refused in a sentence', async (_what, script) => {
    await helper(script);
    expect(await outcome(config)).toBe('refused');
  });

  test('that may not be started is refused in a sentence', async () => {
    await helper('true');
    await chmod(join(folder, 'docker-credential-odd'), 0o644);
    expect(await outcome(config)).toBe('refused');
    await rm(join(folder, 'docker-credential-odd'));
    await mkdir(join(folder, 'docker-credential-odd'));
    expect(await outcome(config)).toBe('refused');
  });
});
