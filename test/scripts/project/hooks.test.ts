import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isAlive } from '../../../infra/system/is-alive.ts';
import { InterruptedError, LockageError } from '../../../pipelines/errors.ts';
import { checkHookNames, runHook, type HookFacts, type HookSettings } from '../../../scripts/project/hooks.ts';
import { release } from '../../pipelines/model/values.ts';

let root: string;
let shown: string[];

beforeEach(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'hooks-'));
  await mkdir(path.join(root, 'hooks'));
  shown = [];
});
afterEach(() => rm(root, { recursive: true, force: true }));

const write = async (name: string, text: string, mode = 0o755) => {
  const file = path.join(root, 'hooks', name);
  await writeFile(file, text);
  await chmod(file, mode);
};
const shell = (...lines: string[]) => `#!/bin/sh\n${lines.join('\n')}\n`;
const settings = (changes: Partial<HookSettings> = {}): HookSettings => ({
  root,
  app: 'shop',
  actor: 'anna@desk',
  timeout: 10_000,
  env: process.env,
  signal: new AbortController().signal,
  onStart: () => undefined,
  mask: (text) => text.replaceAll('hunter2-of-prod', '[secret]'),
  show: (line) => shown.push(line),
  time: () => '2026-01-02T00:00:00.000Z',
  ...changes,
});
const facts: HookFacts = { operation: 'promote', environment: 'prod', version: '1.4.0' };
const run = (changes: Partial<HookSettings> = {}, told = facts) => runHook('pre-deploy', told, settings(changes));
const failure = async (attempt: Promise<unknown>): Promise<LockageError> => {
  const error = await attempt.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof LockageError)) throw new Error(`no LockageError: ${String(error)}`);
  return error;
};

describe('a hook', () => {
  test('that is not there is none', async () => {
    expect(await run()).toBe(false);
    await rm(path.join(root, 'hooks'), { recursive: true });
    expect(await run()).toBe(false);
    await checkHookNames(root);
  });

  test('runs in the folder of the project, and its output is shown line by line', async () => {
    await write('pre-deploy', shell('pwd', 'printf "to\\nyou" >&2'));
    expect(await run()).toBe(true);
    expect(shown.toSorted()).toEqual([root, 'to', 'you'].toSorted());
  });

  test('is told what it is about, and nothing of an earlier one', async () => {
    await write('pre-deploy', shell('env > told'));
    const known = {
      ...facts,
      release: release('1.4.0'),
      previous: release('1.3.0'),
      hosts: ['a', 'b'],
      reason: 'sale\n!',
    };
    await run({ env: { ...process.env, LOCKAGE_REVISION: '7', LOCKAGE_STATE: '/s', OWN: 'kept' } }, known);
    const told = await readFile(path.join(root, 'told'), 'utf8');
    expect(told).toContain('LOCKAGE_HOOK=pre-deploy\n');
    expect(told).toContain('LOCKAGE_COMMAND=promote\n');
    expect(told).toContain('LOCKAGE_ENVIRONMENT=prod\n');
    expect(told).toContain('LOCKAGE_VERSION=1.4.0\n');
    expect(told).toContain('LOCKAGE_PREVIOUS_VERSION=1.3.0\n');
    expect(told).toContain(`LOCKAGE_DIGEST=${release('1.4.0').digest}\n`);
    expect(told).toContain('LOCKAGE_HOSTS=a,b\n');
    expect(told).toContain('LOCKAGE_REASON=sale\n!\n');
    expect(told).toContain('LOCKAGE_STATE=/s\n');
    expect(told).toContain('OWN=kept\n');
    expect(told).not.toContain('LOCKAGE_REVISION');
  });

  test.each<[string, string]>([
    ['ended', 'echo'],
    ['not ended', 'printf %s'],
  ])('shows no part of a secret in which a long line is cut that is %s', async (_what, print) => {
    for (const before of [9_990, 9_999, 1_000_000 - 5, 1_000_100]) {
      shown = [];
      const text = `"$(head -c ${before} /dev/zero | tr '\\0' x)hunter2-of-prod$(head -c 20000 /dev/zero | tr '\\0' y)"`;
      await write('pre-deploy', shell(`text=${text}`, `${print} "$text"`));
      await run();
      expect(shown).toHaveLength(1);
      expect(shown.join('').length).toBeLessThanOrEqual(10_000);
      expect(shown.join('')).not.toMatch(/hunt|er2|prod/);
    }
  });

  test('does not get what opens the state', async () => {
    await write('pre-deploy', shell('env'));
    await run({
      env: { ...process.env, PULUMI_CONFIG_PASSPHRASE: 'canary', PULUMI_CONFIG_PASSPHRASE_FILE: '/canary' },
    });
    expect(shown.join('\n')).not.toContain('canary');
    expect(shown.join('\n')).toContain('LOCKAGE_APP=shop');
  });

  test.each<[string, string, number, string]>([
    ['that fails', shell('exit 7'), 0o755, 'hooks/pre-deploy ended with 7'],
    ['that is killed', shell('kill -9 $$'), 0o755, 'hooks/pre-deploy ended with a signal'],
    ['that may not be executed', shell('exit 0'), 0o644, 'hooks/pre-deploy may not be executed'],
    ['of an interpreter that is not there', '#!/no/such\n', 0o755, 'does not start'],
    ['that is no program', 'no-such-program-here\n', 0o755, 'ended with 127'],
  ])('%s refuses, and the way out is named', async (_what, text, mode, message) => {
    await write('pre-deploy', text, mode);
    const error = await failure(run());
    expect(error.constructor).toBe(LockageError);
    expect(error.message).toContain(message);
    expect(error.hint).toContain('--skip-hooks');
  });

  test('that is a folder refuses', async () => {
    await mkdir(path.join(root, 'hooks/pre-deploy'));
    expect((await failure(run())).message).toBe('hooks/pre-deploy is no file');
  });

  test('that takes too long is ended with all that it started', async () => {
    await write('pre-deploy', shell('sleep 600 & echo $! > child', 'wait'));
    const error = await failure(run({ timeout: 500 }));
    expect(error.message).toBe('hooks/pre-deploy did not end within 0.5 s');
    await expectGone('child');
  });

  test('hears of Ctrl-C, and the command is interrupted', async () => {
    await write(
      'pre-deploy',
      shell('trap "echo heard; exit 0" INT', 'sleep 600 & echo $! > child; echo ready', 'wait'),
    );
    const stop = new AbortController();
    const ended = failure(
      run({ signal: stop.signal, show: (line) => (shown.push(line), line === 'ready' && stop.abort()) }),
    );
    expect(await ended).toBeInstanceOf(InterruptedError);
    expect(shown).toContain('heard');
    await expectGone('child');
  });

  test('that prints without an end is ended', async () => {
    await write('pre-deploy', shell('yes'));
    expect((await failure(run({ show: () => undefined }))).message).toContain('hooks/pre-deploy wrote more than');
  });
});

const expectGone = async (file: string) => {
  const pid = Number(await readFile(path.join(root, file), 'utf8'));
  expect(pid).toBeGreaterThan(1);
  await expect.poll(() => isAlive(pid)).toBe(false);
};

describe('names', () => {
  test.each(['pre-deploy.sh', 'pre-depoly', 'post_deploy', 'pre-app-boot'])(
    '%s would never run, and is refused',
    async (name) => {
      await write(name, shell('exit 0'));
      const error = await failure(checkHookNames(root));
      expect(error.details.join()).toContain(`hooks/${name}`);
      expect(error.hint).toContain('post-deploy');
    },
  );

  test('of samples, parts and other files are nobody’s business', async () => {
    for (const name of ['pre-deploy', 'pre-deploy.sample', 'common.sh', 'useCart.ts']) await write(name, '');
    await checkHookNames(root);
  });
});
