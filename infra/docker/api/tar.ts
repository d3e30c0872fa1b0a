import type { ArchivedEntry, ArchiveEntry } from './types.ts';

const block = 512;
/** bytes of a path, and the highest uid or gid, that a plain header holds */
const plain = { path: 100, id: 0o7777777 };

/**
 * Returns a pax archive of files and directories. Times are zero, so that equal entries give equal bytes. Throws
 * RangeError for absolute paths, and those with `..`.
 */
export function tarArchive(entries: readonly ArchiveEntry[]): Buffer {
  return Buffer.concat([...entries.flatMap(written), Buffer.alloc(2 * block)]);
}

/** Returns what is in an archive as engines send it: plain files, directories and links, in its order. */
export function readTar(archive: Buffer): ArchivedEntry[] {
  const entries: ArchivedEntry[] = [];
  let extended: Readonly<Record<string, string>> = {};
  for (let at = 0; at + block <= archive.length && archive[at] !== 0;) {
    const head = archive.subarray(at, at + block);
    const content = archive.subarray(at + block, at + block + Number(extended['size'] ?? octal(head, 124, 12)));
    const kind = String.fromCharCode(head[156] ?? 0);
    if (kind === 'x') extended = paxRecords(content);
    else if (kind === 'L') extended = { ...extended, path: textOf(content) };
    else if (kind !== 'g') entries.push(entryOf(head, kind, content, extended));
    if (!'xLg'.includes(kind)) extended = {};
    at += block + Math.ceil(content.length / block) * block;
  }
  return entries;
}

function written(entry: ArchiveEntry): Buffer[] {
  const directory = entry.type === 'directory';
  const path = directory && !entry.path.endsWith('/') ? `${entry.path}/` : entry.path;
  checkPath(path);
  const content = Buffer.from(directory ? '' : (entry.content ?? ''));
  const { uid = 0, gid = 0 } = entry;
  const records = [
    ...(Buffer.byteLength(path) > plain.path ? [paxRecord('path', path)] : []),
    ...(uid > plain.id ? [paxRecord('uid', String(uid))] : []),
    ...(gid > plain.id ? [paxRecord('gid', String(gid))] : []),
  ];
  const extended = Buffer.from(records.join(''));
  return [
    ...(records.length === 0 ? [] : [header('pax', 'x', { mode: 0o600, uid: 0, gid: 0 }, extended), padded(extended)]),
    header(path, directory ? '5' : '0', { mode: entry.mode, uid, gid }, content),
    padded(content),
  ];
}

interface Permissions {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** Makes an entry's header. What does not fit into it is in the extended header before it. */
function header(path: string, kind: string, { mode, uid, gid }: Permissions, content: Buffer): Buffer {
  const bytes = Buffer.alloc(block);
  bytes.write(path, 0, plain.path, 'utf8');
  writeOctal(bytes, mode & 0o7777, 100, 8);
  writeOctal(bytes, Math.min(uid, plain.id), 108, 8);
  writeOctal(bytes, Math.min(gid, plain.id), 116, 8);
  writeOctal(bytes, content.length, 124, 12);
  writeOctal(bytes, 0, 136, 12);
  bytes.fill(' ', 148, 156);
  bytes.write(kind, 156);
  bytes.write('ustar\u000000', 257, 'latin1');
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return bytes;
}

/** Makes a record of an extended header: `26 path=…\n`, with the length of all of it in front. */
function paxRecord(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + String(rest).length;
  if (String(length).length > String(rest).length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

function paxRecords(content: Buffer): Record<string, string> {
  const records: Record<string, string> = {};
  for (let at = 0; at < content.length;) {
    const space = content.indexOf(' ', at);
    const length = Number(content.toString('latin1', at, space));
    if (space < 0 || !(length > 0)) break;
    const [, key = '', value = ''] = /^([^=]*)=(.*)$/s.exec(content.toString('utf8', space + 1, at + length - 1)) ?? [];
    records[key] = value;
    at += length;
  }
  return records;
}

function entryOf(
  head: Buffer,
  kind: string,
  content: Buffer,
  extended: Readonly<Record<string, string>>,
): ArchivedEntry {
  const target = extended['linkpath'] ?? textOf(head.subarray(157, 257));
  return {
    path: extended['path'] ?? textOf(head.subarray(0, 100)),
    type: kind === '5' ? 'directory' : kind === '1' || kind === '2' ? 'link' : 'file',
    mode: octal(head, 100, 8) & 0o7777,
    uid: Number(extended['uid'] ?? octal(head, 108, 8)),
    gid: Number(extended['gid'] ?? octal(head, 116, 8)),
    content,
    ...(target === '' ? {} : { target }),
  };
}

function padded(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc((block - (content.length % block)) % block)]);
}

function checkPath(path: string): void {
  const unsafe = path === '' || path.startsWith('/') || path.includes('\0') || path.split('/').includes('..');
  if (unsafe) throw new RangeError(`"${path}" is not a path inside an archive`);
}

function writeOctal(bytes: Buffer, value: number, offset: number, length: number): void {
  bytes.write(`${value.toString(8).padStart(length - 1, '0')}\0`, offset, 'latin1');
}

/** Reads a number: text, or binary where it is too large for that. */
function octal(head: Buffer, offset: number, length: number): number {
  const binary = (head[offset] ?? 0) >= 0x80;
  return binary
    ? head.readUIntBE(offset + length - 6, 6)
    : Number.parseInt(textOf(head.subarray(offset, offset + length)), 8) || 0;
}

function textOf(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end).trim();
}
