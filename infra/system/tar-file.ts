/** Tar files of any size: written entry by entry, and read where they lie. */
import type { FileHandle } from 'node:fs/promises';

const block = 512;
/** bytes of a path that a header holds */
const longestPath = 100;
/** bytes of an extended header: Go's own reader takes no longer one */
const longestExtended = 1024 * 1024;
/** the largest size that a header holds as octal digits; larger ones are binary */
const largestOctal = 0o77777777777;

/** An entry of a tar file, and where its content begins. */
export interface TarEntry {
  readonly path: string;
  readonly at: number;
  /** bytes */
  readonly size: number;
  /** it is a link to this path, from its own folder */
  readonly target?: string;
}

/** The reason why a file cannot be read as a tar file. */
export class TarError extends Error {}

/** Returns the header of a file. Times, owners and modes are the same always, so that equal files give equal bytes. */
export function tarHeader(path: string, size: number): Buffer {
  if (Buffer.byteLength(path) > longestPath) throw new RangeError(`"${path}" is too long for an archive`);
  const bytes = Buffer.alloc(block);
  bytes.write(path, 0, 'utf8');
  bytes.write('0000644\u00000000000\u00000000000\u0000', 100, 'latin1');
  if (size <= largestOctal) bytes.write(`${size.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  else {
    bytes[124] = 0x80;
    bytes.writeBigUInt64BE(BigInt(size), 128);
  }
  bytes.write('00000000000\u0000', 136, 'latin1');
  bytes.write('0', 156);
  bytes.write('ustar\u000000', 257, 'latin1');
  bytes.write(`${checksum(bytes).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return bytes;
}

/** Returns what fills the last block of a file's content. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((block - (size % block)) % block);
}

/** The end of an archive. */
export const tarEnd = Buffer.alloc(2 * block);

/**
 * Yields the files and links of an archive, in its order. Throws TarError for what is none, or ends in
 * the middle.
 */
export async function* tarEntries(file: FileHandle): AsyncGenerator<TarEntry> {
  const { size: length } = await file.stat();
  let extended: Readonly<Record<string, string>> = {};
  for (let at = 0; ;) {
    const head = await readAt(file, at, block);
    if (head.length < block) throw new TarError(at === 0 ? 'it is no archive' : 'it ends before its end mark');
    if (head.every((byte) => byte === 0)) return;
    if (checksum(head) !== octal(head, 148, 8)) {
      throw new TarError(at === 0 ? 'it is no archive' : `the header at byte ${at} is damaged`);
    }
    const size = Number(extended['size'] ?? sizeIn(head));
    const path = extended['path'] ?? pathIn(head);
    const kind = String.fromCharCode(head[156] ?? 0);
    const start = at + block;
    const end = start + size + tarPadding(size).length;
    // A size below nothing would lead back, and in a circle.
    if (!Number.isSafeInteger(end) || size < 0) throw new TarError(`the header at byte ${at} is damaged`);
    if (start + size > length) throw new TarError(`it ends in the middle of ${path}`);
    if (kind === 'x') {
      if (size > longestExtended) throw new TarError(`the header at byte ${at} is too long`);
      extended = paxRecords(await readAt(file, start, size));
    } else {
      if (kind === '0' || kind === '\0') yield { path, at: start, size };
      if (kind === '2')
        yield { path, at: start, size: 0, target: extended['linkpath'] ?? textOf(head.subarray(157, 257)) };
      extended = {};
    }
    at = end;
  }
}

/** Returns the bytes from an offset on, at most `length`. */
async function readAt(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, at);
  return buffer.subarray(0, bytesRead);
}

const chunk = 256 * 1024;

/** Yields the content of an entry. Throws TarError when the file became shorter. */
export async function* contentOf(file: FileHandle, { path, at, size }: TarEntry): AsyncGenerator<Buffer> {
  for (let done = 0; done < size;) {
    const bytes = await readAt(file, at + done, Math.min(chunk, size - done));
    if (bytes.length === 0) throw new TarError(`it ends in the middle of ${path}`);
    done += bytes.length;
    yield bytes;
  }
}

/** Returns the sum of a header's bytes, with spaces in the place of the sum. */
function checksum(head: Buffer): number {
  let sum = 8 * 32;
  for (let index = 0; index < block; index += 1) if (index < 148 || index >= 156) sum += head[index] ?? 0;
  return sum;
}

function sizeIn(head: Buffer): number {
  return (head[124] ?? 0) >= 0x80 ? Number(head.readBigUInt64BE(128)) : octal(head, 124, 12);
}

function octal(head: Buffer, at: number, length: number): number {
  return Number.parseInt(textOf(head.subarray(at, at + length)), 8) || 0;
}

function pathIn(head: Buffer): string {
  const prefix = textOf(head.subarray(345, 500));
  const name = textOf(head.subarray(0, longestPath));
  return prefix === '' ? name : `${prefix}/${name}`;
}

const lineEnd = 0x0a;

/**
 * Reads the records of an extended header: `26 path=…\n`, with the length of all of it in front. A value may have line ends, as that of
 * a file's attribute, which is whoever's made the file: only the lengths tell where the next record begins.
 */
function paxRecords(content: Buffer): Record<string, string> {
  const records: [string, string][] = [];
  for (let at = 0; at < content.length;) {
    const [digits = ''] = /^\d{1,7}(?= )/.exec(content.toString('latin1', at, at + 8)) ?? [];
    const end = at + Number(digits);
    const record = content.subarray(at + digits.length + 1, end - 1);
    const equals = record.indexOf('=');
    const isWhole = digits !== '' && content[end - 1] === lineEnd && equals >= 0;
    if (!isWhole) throw new TarError('an extended header is damaged');
    records.push([record.toString('utf8', 0, equals), record.toString('utf8', equals + 1)]);
    at = end;
  }
  return Object.fromEntries(records);
}

function textOf(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end).trim();
}
