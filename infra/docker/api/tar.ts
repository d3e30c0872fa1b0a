import type { ArchiveEntry } from './types.ts';

const block = 512;

/**
 * Returns a ustar archive of files and directories. Times are zero, so that equal entries give equal bytes. Throws
 * RangeError for paths over 100 bytes, absolute ones, and those with `..`.
 */
export function tarArchive(entries: readonly ArchiveEntry[]): Buffer {
  const parts = entries.flatMap((entry) => {
    const content = Buffer.from(entry.content ?? '');
    return [header(entry, content.length), content, Buffer.alloc((block - (content.length % block)) % block)];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * block)]);
}

function header(entry: ArchiveEntry, size: number): Buffer {
  const directory = entry.type === 'directory';
  const path = directory && !entry.path.endsWith('/') ? `${entry.path}/` : entry.path;
  checkPath(path);
  const bytes = Buffer.alloc(block);
  bytes.write(path, 0, 100, 'utf8');
  writeOctal(bytes, entry.mode & 0o7777, 100, 8);
  writeOctal(bytes, entry.uid ?? 0, 108, 8);
  writeOctal(bytes, entry.gid ?? 0, 116, 8);
  writeOctal(bytes, directory ? 0 : size, 124, 12);
  writeOctal(bytes, 0, 136, 12);
  bytes.fill(' ', 148, 156);
  bytes.write(directory ? '5' : '0', 156);
  bytes.write('ustar\u000000', 257, 'latin1');
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return bytes;
}

function checkPath(path: string): void {
  const unsafe = path === '' || path.startsWith('/') || path.includes('\0') || path.split('/').includes('..');
  if (unsafe) throw new RangeError(`"${path}" is not a path inside an archive`);
  if (Buffer.byteLength(path) > 100) throw new RangeError(`"${path}" is longer than the 100 bytes an archive holds`);
}

function writeOctal(bytes: Buffer, value: number, offset: number, length: number): void {
  const text = value.toString(8).padStart(length - 1, '0');
  if (text.length >= length) throw new RangeError(`${value} does not fit an archive's header`);
  bytes.write(`${text}\0`, offset, 'latin1');
}
