import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bytesOf } from '../../../infra/context/secret-bytes.ts';
import { LockageError } from '../../../pipelines/errors.ts';
import type { SecretSource } from '../../../pipelines/model/secret-source.ts';
import { readSecrets } from '../../../scripts/project/secrets.ts';
import { Redactor } from '../../../scripts/tools/redactor.ts';

const canary = 'canary-5f1c "quoted" ünïcode/+&=';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'lockage-secrets-'));
  await mkdir(path.join(root, 'folder'));
  await writeFile(path.join(root, 'password'), `${canary}\n`);
  await writeFile(path.join(root, 'lines'), 'a\nb\n\n');
  await writeFile(path.join(root, 'windows'), 'value\r\n');
  await writeFile(path.join(root, 'empty'), '\n');
  await writeFile(path.join(root, 'nul'), 'a\0b');
  await writeFile(path.join(root, 'binary'), Buffer.from([0xff, 0xfe, 0x41]));
  await writeFile(path.join(root, 'large'), 'x'.repeat(600 * 1024));
});
afterAll(() => rm(root, { recursive: true }));

const env = { PATH: process.env['PATH'], TOKEN: canary, BLANK: '' };
const read = (sources: Record<string, SecretSource>) => readSecrets(sources, Object.keys(sources), { root, env });
const node = (script: string): SecretSource => ({ command: [process.execPath, '-e', script] });

async function problems(sources: Record<string, SecretSource>): Promise<readonly string[]> {
  const thrown: unknown = await read(sources).catch((error: unknown) => error);
  if (thrown instanceof LockageError) return thrown.details.map((line) => line.replaceAll(process.execPath, 'node'));
  throw new Error(`expected a LockageError, got ${JSON.stringify(thrown)}`);
}

describe('secrets are read', () => {
  test('from variables, files and commands', async () => {
    const values = await read({
      A: { env: 'TOKEN' },
      B: { file: 'password' },
      C: node('console.log(process.env.TOKEN)'),
    });
    expect(values).toEqual({ A: canary, B: canary, C: canary });
  });

  test('without one newline at the end, and only one', async () => {
    expect(await read({ A: { file: 'lines' }, B: { file: 'windows' } })).toEqual({ A: 'a\nb\n', B: 'value' });
  });

  test('of a variable, too', async () => {
    const values = await readSecrets({ A: { env: 'PASTED' } }, ['A'], { root, env: { PASTED: 'password\n' } });
    expect(values).toEqual({ A: 'password' });
  });

  test('byte for byte where that is asked for', async () => {
    const values = await read({
      A: { file: 'lines', raw: true },
      B: { file: 'binary', raw: true },
      C: { file: 'nul', raw: true },
      D: { env: 'BLANK', raw: true },
      E: { command: ['printf', String.raw`key\n\377`], raw: true },
    });
    const bytes = Object.values(values).map((value) => bytesOf(value));
    expect(bytes.map((each) => each.toString('latin1'))).toEqual(['a\nb\n\n', 'ÿþA', 'a\0b', '', 'key\n\xff']);
    expect(values['A']).toBe('a\nb\n\n');
    expect(await problems({ A: { file: 'large', raw: true } })).toEqual(['A  is larger than 500 KiB: large']);
  });

  test('only those asked for', async () => {
    const sources = { A: { env: 'TOKEN' }, B: { env: 'NOT_SET' } };
    expect(await readSecrets(sources, ['A', 'A'], { root, env })).toEqual({ A: canary });
  });

  test('without a shell and in the project’s folder', async () => {
    const values = await read({ A: { command: ['echo', '$TOKEN; id'] }, B: { command: ['cat', 'password'] } });
    expect(values).toEqual({ A: '$TOKEN; id', B: canary });
  });

  test('from a command whose helper goes on with its output open', async () => {
    const began = performance.now();
    const command = ['sh', '-c', 'sleep 20 & cat password'];
    expect(await read({ A: { command } })).toEqual({ A: canary });
    expect(performance.now() - began).toBeLessThan(15_000);
  });

  test('from a command that would ask', async () => {
    expect(await problems({ A: { command: ['sh', '-c', 'read answer && echo "$answer"'] } })).toEqual([
      'A  sh failed with exit code 1',
    ]);
  });
});

describe('problems', () => {
  test('all at once', async () => {
    expect(
      await problems({
        A: { env: 'NOT_SET' },
        B: { file: 'nowhere' },
        C: { file: 'folder' },
        D: { command: ['lockage-no-such-program'] },
        E: { env: 'BLANK' },
        F: { file: 'empty' },
        G: { file: 'nul' },
        H: { file: 'binary' },
        I: { file: 'large' },
        J: node('process.exit(3)'),
      }),
    ).toEqual([
      'A  variable NOT_SET is not set',
      'B  file nowhere does not exist',
      'C  folder is a folder',
      'D  lockage-no-such-program is not installed',
      'E  is empty: variable BLANK (`raw: true` takes it as it is)',
      'F  is empty: empty (`raw: true` takes it as it is)',
      'G  contains a NUL character: nul (`raw: true` takes it as it is)',
      'H  is not UTF-8 text: binary (`raw: true` takes it as it is)',
      'I  is larger than 500 KiB: large',
      'J  node failed with exit code 3',
    ]);
  });

  test('undeclared', async () => {
    await expect(readSecrets({}, ['toString'], { root, env })).rejects.toMatchObject({
      details: ['toString  is not declared under secrets'],
    });
  });

  test('a failed command shows its last line, but not the value it printed', async () => {
    const script = `console.log(process.env.TOKEN); console.error('first'); console.error('rejected: ' + process.env.TOKEN); process.exit(1)`;
    const [line = ''] = await problems({ A: node(script) });
    expect(line).toBe('A  node failed with exit code 1: rejected: [secret]');
    expect(line).not.toContain('canary');
  });

  test('never show a value', async () => {
    const lines = await problems({
      A: { file: 'nul' },
      B: { env: 'TOKEN' },
      C: node('console.log(process.env.TOKEN + "\\0")'),
    });
    expect(lines.join('\n')).not.toMatch(/canary|a\0b/);
  });
});

describe('the redactor', () => {
  const redactor = new Redactor([canary, 'abc', 'long-token', 'long-token-2', 'first line\nsecond line\n']);

  test.each([
    ['as it is', `password=${canary}.`],
    ['inside JSON', JSON.stringify({ password: canary })],
    ['inside JSON inside JSON', JSON.stringify(JSON.stringify({ password: canary }))],
    ['in a URL', `https://user:${encodeURIComponent(canary)}@host`],
    ['in a form', new URLSearchParams({ password: canary }).toString()],
    ['in base64', Buffer.from(canary).toString('base64')],
    ['in base64url', Buffer.from(canary).toString('base64url')],
    ['in base64 after one byte', Buffer.from(`:${canary}:`).toString('base64')],
    ['in base64 after two bytes', Buffer.from(`u:${canary}`).toString('base64')],
    ['in base64 after a name', Buffer.from(`deploy:${canary}\n`).toString('base64')],
  ])('masks a value %s', (_, text) => {
    const masked = redactor.redact(text);
    expect(masked).toContain('[secret]');
    expect(masked).not.toContain('canary');
    expect(masked).not.toContain(Buffer.from('canary-5f1c').toString('base64').slice(0, 8));
  });

  const odd = `it's a "pä/ss\\word"! (1*2) <&>`;

  test.each([
    [
      'as Go and libpq escape URLs',
      encodeURIComponent(odd).replace(/[!'()*]/g, (it) => `%${it.charCodeAt(0).toString(16)}`),
    ],
    ['in lower-case escapes', encodeURIComponent(odd).replace(/%../g, (it) => it.toLowerCase())],
    ['as Go writes JSON', JSON.stringify(odd).replace(/[<>&]/g, (it) => `\\u00${it.charCodeAt(0).toString(16)}`)],
    ['as Python writes JSON', JSON.stringify(odd).replace('ä', '\\u00e4')],
    ['as PHP writes JSON', JSON.stringify(odd).replaceAll('/', '\\/')],
    ['as a shell quotes', `'${odd.replaceAll("'", String.raw`'\''`)}'`],
    ['in hexadecimal', Buffer.from(odd).toString('hex')],
    ['in large hexadecimal', Buffer.from(odd).toString('hex').toUpperCase()],
  ])('masks a value %s', (_, text) => {
    const masked = new Redactor([odd]).redact(`before ${text} after`);
    expect(masked).toMatch(/^before ["']?\[secret\]["']? after$/);
  });

  test('masks the password of a URL and the texts of a document alone', () => {
    const key = { type: 'account', private_key: '-----BEGIN-----\nMIIEvQIBADAN\n-----END-----\n' };
    const learned = new Redactor(['postgres://shop:p%40ssw0rd-9@db/shop', JSON.stringify(key)]);
    expect(learned.redact('no entry for shop with p@ssw0rd-9 or p%40ssw0rd-9')).toBe(
      'no entry for shop with [secret] or [secret]',
    );
    expect(learned.redact('key MIIEvQIBADAN of an account')).toBe('key [secret] of an account');
  });

  test('leaves a JSON document one, whatever is secret', () => {
    const words = new Redactor(['true', '1000', 'made']);
    const value = {
      made: true,
      duration: 1000,
      notes: ['made in 1000 ms', null],
      deep: { text: 'true', at: new Date(0) },
    };
    expect(words.redactTexts(value)).toEqual({
      made: true,
      duration: 1000,
      notes: ['[secret] in [secret] ms', null],
      deep: { text: '[secret]', at: '1970-01-01T00:00:00.000Z' },
    });
  });

  test('masks a value of many lines, each of them', () => {
    const lines = Array.from({ length: 3000 }, (_, at) => `line ${at} of a large secret`);
    const large = new Redactor([lines.join('\n')]);
    expect(large.redact(`> ${lines[0]} ${lines[2999]}`)).toBe('> [secret] [secret]');
  });

  test('masks the longer of two values that begin alike', () => {
    expect(redactor.redact('long-token-2 long-token')).toBe('[secret] [secret]');
  });

  test('masks single lines of a value with several', () => {
    expect(redactor.redact('> second line')).toBe('> [secret]');
  });

  test('leaves values under four characters and everything else alone', () => {
    expect(redactor.redact('abc def')).toBe('abc def');
    expect(new Redactor([]).redact('text')).toBe('text');
    expect(new Redactor(['', '  ']).redact('a  b')).toBe('a  b');
  });

  test('learns more values', () => {
    const learning = new Redactor();
    learning.add(['tomorrow']);
    expect(learning.redact('not before tomorrow')).toBe('not before [secret]');
  });
});
