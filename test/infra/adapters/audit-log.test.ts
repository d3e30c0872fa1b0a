import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AuditLogAdapter } from '../../../infra/adapters/audit-log.ts';
import { judgeAudit } from '../../../pipelines/inspection/audit.ts';
import { hashOfEntry, lineText, type AuditLine } from '../../../pipelines/model/audit-entry.ts';
import { nextEntry, writeLog } from '../../support/audit-lines.ts';

const programs = mkdtempSync(join(tmpdir(), 'lockage-audit-program-'));
const program = join(programs, 'writer.mjs');
let root: string;
let folder: string;

beforeAll(async () => {
  const entry = join(import.meta.dirname, '../../support/audit-writer.ts');
  await build({
    entryPoints: [entry],
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile: program,
    logLevel: 'error',
  });
});

afterAll(() => rmSync(programs, { recursive: true, force: true }));

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'lockage-audit-'));
  folder = join(root, 'state', 'audit', 'shop');
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

const logOf = (name = 'anna') => new AuditLogAdapter({ app: 'shop', folder, memory: join(root, `${name}.json`) });
async function judge(log = logOf()) {
  const lines = await log.lines();
  return judgeAudit(
    lines.map(({ text, file, line = 1 }) => ({ text, place: `${file}:${line}` })),
    { app: 'shop', anchors: [] },
  );
}

/** Runs a program that appends. Returns its exit code or signal, and the numbers it has written. */
function write(
  actor: string,
  count: number,
  failpoint?: string,
): Promise<{ end: number | string | null; numbers: number[] }> {
  const env = { ...process.env, ...(failpoint === undefined ? {} : { LOCKAGE_FAILPOINT: failpoint }) };
  const child = spawn(process.execPath, [program, folder, join(root, `${actor}.json`), actor, String(count)], { env });
  let out = '';
  child.stdout.on('data', (text: Buffer) => (out += text.toString()));
  return new Promise((resolve) =>
    child.on('close', (code, signal) =>
      resolve({ end: signal ?? code, numbers: out.split('\n').filter(Boolean).map(Number) }),
    ),
  );
}

describe('the audit log in a folder', () => {
  test('keeps what was appended, for its owner alone, and remembers the last one', async () => {
    const log = logOf();
    expect(await log.last()).toBeUndefined();
    const first = await log.append((last) => nextEntry(last));
    const second = await log.append((last) => nextEntry(last));
    expect(second.entry.previous).toBe(first.hash);
    expect(await logOf('bob').last()).toEqual(second);
    expect(await log.seen()).toEqual({ number: 2, hash: second.hash });
    expect(await log.has({ number: 1, hash: first.hash })).toBe(true);
    expect(await log.has({ number: 1, hash: second.hash })).toBe(false);
    expect(await log.has({ number: 3, hash: second.hash })).toBe(false);
  });

  test('loses nothing and forks nothing when operators append at once', async () => {
    const ends = await Promise.all(['anna', 'bob', 'cleo'].map((actor) => write(actor, 40)));
    expect(ends.map(({ end }) => end)).toEqual([0, 0, 0]);
    const all = ends.flatMap(({ numbers }) => numbers).toSorted((a, b) => a - b);
    expect(all).toEqual(Array.from({ length: 120 }, (_, index) => index + 1));
    expect(await judge()).toMatchObject({ entries: 120, problems: [] });
    expect(readdirSync(folder).filter((name) => name.endsWith('.draft'))).toEqual([]);
  });

  test.each(['audit:drafted', 'audit:appended'])('is whole when a program is killed %s', async (point) => {
    await write('anna', 2);
    expect((await write('anna', 1, point)).end).toBe('SIGKILL');
    expect((await judge()).problems).toEqual([]);
    expect((await write('bob', 2)).end).toBe(0);
    expect((await judge()).problems).toEqual([]);
  });

  test('packs entries that are many, also when that is cut short, and loses none', async () => {
    const log = logOf();
    mkdirSync(folder, { recursive: true });
    let last: AuditLine | undefined;
    for (let number = 1; number < 1500; number += 1) {
      const entry = nextEntry(last);
      last = { entry, hash: hashOfEntry(entry) };
      writeFileSync(join(folder, `${String(number).padStart(12, '0')}.json`), `${lineText(last)}\n`);
    }
    expect((await write('anna', 1, 'audit:packed')).end).toBe('SIGKILL');
    expect(readdirSync(folder)).toContain('000000000001-000000001000.jsonl');
    expect(await judge()).toMatchObject({ entries: 1500, problems: [] });
    await log.append((before) => nextEntry(before));
    expect(await judge()).toMatchObject({ entries: 1501, problems: [] });
    // What the killed one had not removed is gone by then.
    expect(readdirSync(folder)).toHaveLength(502);
    const [fifth] = (await log.lines()).slice(4, 5);
    expect(await log.has({ number: 5, hash: (JSON.parse(fifth?.text ?? '') as AuditLine).hash })).toBe(true);
  });

  test('refuses to go on where its last entry is not whole', async () => {
    const log = logOf();
    await log.append((last) => nextEntry(last));
    const file = join(folder, '000000000001.json');
    writeFileSync(file, readFileSync(file, 'utf8').slice(0, 50));
    await expect(log.append((last) => nextEntry(last))).rejects.toThrow('damaged at its end: it is not whole');
  });

  test('says that it is damaged where a file has another entry than its name says', async () => {
    const log = logOf();
    for (let count = 0; count < 3; count += 1) await log.append((last) => nextEntry(last));
    copyFileSync(join(folder, '000000000003.json'), join(folder, '000000000005.json'));
    await expect(log.append((last) => nextEntry(last))).rejects.toThrow(
      'damaged at its end: entry 3 lies where 5 has to be',
    );
  });

  test('says that it is damaged where a pack was cut at the end of a line', async () => {
    writeLog(folder, 1);
    const file = join(folder, '000000000001-000000001000.jsonl');
    writeFileSync(file, readFileSync(file, 'utf8').split('\n').slice(0, 990).join('\n') + '\n');
    await expect(logOf().append((last) => nextEntry(last))).rejects.toThrow('entry 990 lies where 1000 has to be');
  });

  test('gives up where a number is never free', async () => {
    const log = logOf();
    await log.append((last) => nextEntry(last));
    const again = log.append((last) => nextEntry(last, { number: 1 }));
    await expect(again).rejects.toThrow('others were quicker 100 times');
  });

  test('gets no entry that nobody could read again', async () => {
    const log = logOf();
    const long = log.append((last) => nextEntry(last, { about: { file: 'x'.repeat(300_000) } }));
    await expect(long).rejects.toThrow('could not be read again: it is longer than any entry');
    expect(await log.last()).toBeUndefined();
  });

  test('keeps nobody waiting for longer than they want', async () => {
    const log = logOf();
    expect(await log.within(10, new Promise(() => undefined))).toBeUndefined();
    expect(await log.within(60_000, Promise.resolve('soon'))).toBe('soon');
    await expect(log.within(60_000, Promise.reject(new Error('no')))).rejects.toThrow('no');
  });

  test('says so where it cannot be read or written', async () => {
    mkdirSync(join(root, 'state', 'audit'), { recursive: true });
    writeFileSync(folder, 'a file');
    await expect(logOf().append((last) => nextEntry(last))).rejects.toThrow('the audit log cannot be used');
  });

  test('knows that a process of this computer is gone, and says it of no other', async () => {
    const log = logOf();
    const own = await log.process();
    expect(await log.hasEnded(own)).toBe(false);
    expect(await log.hasEnded({ ...own, pid: 2 ** 22 + 1 })).toBe(true);
    expect(await log.hasEnded({ ...own, machine: 'elsewhere', pid: 2 ** 22 + 1 })).toBe(false);
    expect(await log.hasEnded({ ...own, pidSpace: `another-boot ${own.pidSpace.split(' ')[1]}` })).toBe(true);
    expect(await log.hasEnded({ ...own, pidSpace: `${own.pidSpace.split(' ')[0]} pid:[2]` })).toBe(false);
  });

  test('of 5,000 entries is appended to and read as quickly as a short one', async () => {
    writeLog(folder, 5);
    const log = logOf();
    const started = performance.now();
    for (let count = 0; count < 10; count += 1) await log.append((last) => nextEntry(last));
    const appended = (performance.now() - started) / 10;
    const again = performance.now();
    expect(await judge(log)).toMatchObject({ entries: 5010, problems: [] });
    // 100,000 entries have 5 s.
    expect(performance.now() - again).toBeLessThan(2000);
    expect(appended).toBeLessThan(250);
  });
});
