import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readSecretLines } from '../../../scripts/project/secret-lines.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockage-lines-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function read(text: string): Promise<Record<string, string>> {
  const file = join(folder, 'secrets.env');
  await writeFile(file, text);
  return Object.fromEntries(await readSecretLines(file));
}

test.each<[string, string, Record<string, string>]>([
  ['as it is', 'TOKEN=a=b c#d', { TOKEN: 'a=b c#d' }],
  ['with a line end of Windows', 'A=1\r\nB=2\r\n', { A: '1', B: '2' }],
  ['in single quotes', `TOKEN='a\\n"b'`, { TOKEN: 'a\\n"b' }],
  [
    'in double quotes, with what a backslash stands for',
    String.raw`KEY="one\ntwo \"3\" \\n"`,
    { KEY: 'one\ntwo "3" \\n' },
  ],
  ['after export', 'export TOKEN=x', { TOKEN: 'x' }],
  ['beside comments and empty lines', '# TOKEN=no\n\n  # more\nTOKEN=yes\n', { TOKEN: 'yes' }],
])('a value is read %s', async (_name, text, expected) => expect(await read(text)).toEqual(expected));

test('a line that is none is refused by its number, and not quoted', async () => {
  const wrong: [string, RegExp][] = [
    ['TOKEN=x\nsecret-of-prod', /line 2 is not `NAME=value`$/],
    ['TOKEN=', /line 1 has no value for TOKEN$/],
    ['2TOKEN=secret-of-prod', /line 1 is not `NAME=value`$/],
  ];
  for (const [text, message] of wrong) {
    const error = await read(text).catch((thrown: unknown) => thrown as Error & { hint: string });
    expect(error).toMatchObject({ message: expect.stringMatching(message) });
    expect(JSON.stringify([(error as Error).message, error.hint])).not.toContain('secret-of-prod');
  }
});

test('a file that is not there is refused', async () => {
  await expect(readSecretLines(join(folder, 'none'))).rejects.toThrow(/none cannot be read: there is no such file$/);
});
