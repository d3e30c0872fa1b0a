import path from 'node:path';
import type { MachineFile } from './machine-kind.ts';

/**
 * Returns files as an archive (`cpio`, new format) that a kernel unpacks at its start, owned by root. It may follow
 * another one in the same file.
 */
export function cpioArchive(files: readonly MachineFile[]): Buffer {
  const folders = new Set(files.flatMap((file) => ancestors(relative(file.path))));
  const entries = [
    ...[...folders].map((name) => entry(name, 0o040_755, Buffer.alloc(0))),
    ...files.map((file) => entry(relative(file.path), 0o100_000 | file.mode, Buffer.from(file.text))),
  ];
  return Buffer.concat([...entries, entry('TRAILER!!!', 0, Buffer.alloc(0))]);
}

function relative(name: string): string {
  return name.replace(/^\/+/, '');
}

/** Returns `a` and `a/b` for `a/b/c`, in this order: a folder has to be there before its content. */
function ancestors(name: string): string[] {
  const folder = path.dirname(name);
  return folder === '.' ? [] : [...ancestors(folder), folder];
}

function entry(name: string, mode: number, data: Buffer): Buffer {
  const links = 1;
  const nameBytes = Buffer.from(`${name}\0`);
  const fields = [0, mode, 0, 0, links, 0, data.length, 0, 0, 0, 0, nameBytes.length, 0];
  const head = `070701${fields.map((field) => field.toString(16).toUpperCase().padStart(8, '0')).join('')}`;
  return Buffer.concat([padded(Buffer.concat([Buffer.from(head), nameBytes])), padded(data)]);
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}
