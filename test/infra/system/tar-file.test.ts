import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tarEnd, tarEntries, TarError, tarHeader, tarPadding } from '../../../infra/system/tar-file.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockage-tar-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** An extended header with this content, and a file `plain` after it. */
function archive(content: Buffer): Buffer {
  const header = tarHeader('pax', content.length);
  header.write('x', 156);
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return Buffer.concat([header, content, tarPadding(content.length), tarHeader('plain', 0), tarEnd]);
}

/** A record with its length in front, which counts itself. */
function record(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  const length = [1, 2, 3, 4].map((digits) => rest + digits).find((all) => String(all).length === all - rest);
  return `${length} ${key}=${value}\n`;
}

async function pathsOf(bytes: Buffer): Promise<string[]> {
  const path = join(folder, 'archive.tar');
  await writeFile(path, bytes);
  const file = await open(path);
  try {
    const paths: string[] = [];
    for await (const entry of tarEntries(file)) paths.push(entry.path);
    return paths;
  } finally {
    await file.close();
  }
}

test.each<readonly [string, string, string]>([
  ['a path', record('path', 'etc/passwd'), 'etc/passwd'],
  ['a path of other letters', record('path', 'bücher/日本'), 'bücher/日本'],
  ['a path with an equals sign', record('path', 'a=b'), 'a=b'],
  ['a path with a line end', record('path', 'a\nb'), 'a\nb'],
  ['an attribute that reads as a path', record('SCHILY.xattr.user.a', '\n17 path=forged\n'), 'plain'],
  ['an attribute that reads as a size', record('SCHILY.xattr.user.a', `\n${record('size', '999999')}`), 'plain'],
  ['an attribute without a value', record('SCHILY.xattr.user.a', ''), 'plain'],
  ['nothing', '', 'plain'],
])('an extended header says what its lengths say: %s', async (_name, text, path) => {
  expect(await pathsOf(archive(Buffer.from(text)))).toEqual([path]);
});

test.each<readonly [string, string]>([
  ['digits alone', '1'.repeat(900_000)],
  ['a length of nothing', '0 path=a\n'],
  ['a length that is too short', '3 path=a\n'],
  ['a length that leads out', '99 path=a\n'],
  ['no line end', '9 path=ab'],
  ['no equals sign', '7 path\n'],
  ['no length', 'path=a\n'],
  ['more than anybody reads', record('path', 'a').repeat(150_000)],
])('an extended header that is none is refused at once: %s', async (_name, text) => {
  const began = performance.now();
  await expect(pathsOf(archive(Buffer.from(text)))).rejects.toThrow(TarError);
  expect(performance.now() - began).toBeLessThan(2000);
});
