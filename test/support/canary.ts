/** The search for values of secrets in what must not have them. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { BareHost } from '../../scripts/lab/lab.ts';
import { command } from './engine-fixture.ts';

/** Returns a value as it is, as base64, and as JSON in base64 would show it at the other two offsets. */
export function formsOf(value: string): string[] {
  return [value, ...['', 'x', 'xx'].map((before) => middleOfBase64(before + value))];
}

/** The part of a text's base64 that does not depend on what stands before or after it. */
function middleOfBase64(text: string): string {
  return Buffer.from(text).toString('base64').slice(4, -4);
}

/** Returns the files of a host that have one of the texts: in its memory, or in all that its engine keeps. */
export async function filesOnHost(host: BareHost, engineRoot: string, texts: readonly string[]): Promise<string[]> {
  const script = 'root=$1; shift; grep -rslF -D skip "$@" "$root" /run; true';
  const wanted = texts.flatMap((text) => ['-e', text]);
  const found = await host.exec(['sh', '-c', script, 'sh', engineRoot, ...wanted], { timeout: 120_000 });
  return found.split('\n').filter((line) => line !== '');
}

/** Returns the files of a tar archive that have one of the texts, also those that are compressed in it. */
export async function filesInArchive(archive: string, texts: readonly string[]): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'lockage-archive-'));
  try {
    await command('tar', '-C', folder, '-xf', archive);
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    const found: string[] = [];
    for (const entry of entries.filter((each) => each.isFile())) {
      const bytes = await readFile(join(entry.parentPath, entry.name));
      const content = bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes;
      if (texts.some((text) => content.includes(text))) found.push(entry.name);
    }
    return found.sort((a, b) => a.localeCompare(b));
  } finally {
    await rm(folder, { recursive: true });
  }
}
