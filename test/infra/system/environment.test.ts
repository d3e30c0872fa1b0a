import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { runPulumi } from '../../../infra/pulumi/cli.ts';
import { cachedPulumi, findPulumi } from '../../../infra/pulumi/find-pulumi.ts';
import { storedCredentials } from '../../../infra/registry/credentials.ts';
import { childEnvironment, daemonEnvironment, variablesFor } from '../../../infra/system/environment.ts';
import { runToEnd, startDetached } from '../../../infra/system/process.ts';
import { runDaemon, runProgram, tryRunProgram } from '../../../infra/system/run-program.ts';
import { readSecrets } from '../../../scripts/project/secrets.ts';
import { ask, run as runStep } from '../../../scripts/setup/command.ts';
import { run, runPiped } from '../../../scripts/tools/command.ts';
import { mustRun } from '../../../scripts/tools/shell.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockage-environment-'));
  vi.stubEnv('SECRET_CANARY', 'tweet');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'of a bucket');
  vi.stubEnv('LOCKAGE_CACHE', folder);
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

/** Prints its variables, one a line. */
const printer = ['sh', '-c', 'env'];

/** A program that prints its variables as an answer does that JSON is expected of. */
function script(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
}

async function detached(): Promise<string> {
  const log = join(folder, 'log');
  await once(startDetached(printer, log), 'exit');
  return readFileSync(log, 'utf8');
}

const entries: readonly (readonly [name: string, variables: () => Promise<string | undefined>])[] = [
  ['runToEnd', async () => (await runToEnd('sh', ['-c', 'env'], 5000)).stdout],
  ['startDetached', detached],
  ['runProgram', () => runProgram(printer)],
  ['tryRunProgram', () => tryRunProgram(printer)],
  ['runDaemon', () => runDaemon(printer)],
  ['a command of the lab', () => run(printer, { env: { EXTRA: '1' } })],
  ['a pipe', () => runPiped(printer, ['sh', '-c', 'cat; env'])],
  ['a command of set-up', () => runStep(printer)],
  ['a question of set-up', () => ask(printer)],
  ['the shell', () => mustRun('print', printer)],
];

describe.each(entries)('a program started by %s', (name, variables) => {
  test("sees where programs are, and none of the operator's secrets", async () => {
    const seen = await variables();
    expect(seen).toMatch(/^PATH=/m);
    expect(seen).not.toMatch(/tweet|of a bucket/);
    if (name === 'a command of the lab') expect(seen).toMatch(/^EXTRA=1$/m);
  });
});

test("an operator's own secret command sees all that the operator sees", async () => {
  const command = ['sh', '-c', 'printf %s "$SECRET_CANARY"'];
  const read = readSecrets({ A: { command } }, ['A'], { root: folder, env: process.env });
  expect(await read).toEqual({ A: 'tweet' });
});

test("the Pulumi CLI gets the passphrase and a bucket's login, and nothing else that is secret", async () => {
  script(cachedPulumi(), 'env');
  vi.stubEnv('PULUMI_CONFIG_PASSPHRASE', 'of another project');
  vi.stubEnv('DOCKER_CERT_PATH', '/elsewhere');
  const settings = { backend: 's3://state', passphrase: 'open sesame', folder };
  const { stdout } = await runPulumi(settings, ['up'], { env: { PULUMI_DEBUG_PROVIDERS: 'lockage:1' } });
  const lines = stdout.split('\n');
  expect(lines).toContain('PULUMI_CONFIG_PASSPHRASE=open sesame');
  expect(lines).toContain('PULUMI_BACKEND_URL=s3://state');
  expect(lines).toContain('PULUMI_DEBUG_PROVIDERS=lockage:1');
  expect(lines).toContain('AWS_SECRET_ACCESS_KEY=of a bucket');
  expect(lines).toContain('DOCKER_CERT_PATH=');
  expect(stdout).not.toContain('tweet');
});

test.each([
  ['PULUMI_DIY_BACKEND_GZIP', 'true', 'state compressed'],
  ['PULUMI_SELF_MANAGED_STATE_GZIP', 'true', 'state compressed'],
  ['PULUMI_DIY_BACKEND_ZSTD', 'true', 'state compressed in another way'],
  ['PULUMI_DIY_BACKEND_LEGACY_LAYOUT', 'true', 'state where nobody looks for it'],
  ['PULUMI_OPTION_FILE', '/tmp/elsewhere', 'export in a file'],
  ['PULUMI_OPTION_TARGET', 'one resource', 'part of a change'],
  ['PULUMI_STACK', 'another', 'state of another stack'],
])('%s=%s of a user’s own Pulumi makes no %s here', async (name, value) => {
  script(cachedPulumi(), 'env');
  vi.stubEnv(name, value);
  vi.stubEnv('PULUMI_ACCESS_TOKEN', 'of the service');
  const { stdout } = await runPulumi({ backend: 'https://api.pulumi.com', passphrase: 'open sesame', folder }, ['up']);
  expect(stdout).not.toContain(name);
  expect(stdout.split('\n')).toContain('PULUMI_ACCESS_TOKEN=of the service');
});

test("a credential helper gets its cloud's login, and nothing else that is secret", async () => {
  script(join(folder, 'docker-credential-canary'), `env > ${folder}/seen; echo '{"Username":"u","Secret":"s"}'`);
  writeFileSync(join(folder, 'config.json'), '{"credsStore":"canary"}');
  vi.stubEnv('PATH', `${folder}:${process.env['PATH']}`);
  expect(await storedCredentials('registry.example.com', folder)).toEqual({ username: 'u', password: 's' });
  const seen = readFileSync(join(folder, 'seen'), 'utf8');
  expect(seen).toContain('of a bucket');
  expect(seen).not.toContain('tweet');
});

describe('which Pulumi CLI runs:', () => {
  beforeEach(() => vi.stubEnv('PATH', `${join(folder, 'on-path')}:/usr/bin:/bin`));

  test('none that is too old', async () => {
    script(join(folder, 'on-path', 'pulumi'), 'echo v3.99.0');
    expect(await findPulumi()).toBeUndefined();
  });

  test('the one on PATH, where set-up has made none', async () => {
    const path = join(folder, 'on-path', 'pulumi');
    script(path, 'echo v3.300.1');
    expect(await findPulumi()).toEqual({ path, version: '3.300.1' });
  });

  test("set-up's own before it", async () => {
    script(join(folder, 'on-path', 'pulumi'), 'echo v3.300.1');
    script(cachedPulumi(), '');
    expect((await findPulumi())?.path).toBe(cachedPulumi());
  });
});

test.each([['DOCKER_HOST', 'SSH_AUTH_SOCK', 'LC_TIME', 'https_proxy', 'NO_PROXY', 'XDG_RUNTIME_DIR', 'LOCKAGE_CACHE']])(
  'every program gets %s, %s, %s, %s, %s, %s and %s',
  (...names) => {
    for (const name of names) vi.stubEnv(name, 'set');
    expect(Object.keys(childEnvironment())).toEqual(expect.arrayContaining(names));
  },
);

test.each(['DOCKER_PASSWORD', 'GITHUB_TOKEN', 'GIT_TOKEN', 'PULUMI_ACCESS_TOKEN', 'GOOGLE_CREDENTIALS', 'NPM_TOKEN'])(
  'no program gets %s without need',
  (name) => {
    vi.stubEnv(name, 'set');
    expect(childEnvironment()).not.toHaveProperty(name);
    expect(daemonEnvironment()).not.toHaveProperty(name);
    expect(variablesFor('go')).not.toHaveProperty('GOOGLE_CREDENTIALS');
  },
);
