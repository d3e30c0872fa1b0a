import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { failpoint } from './failpoint.ts';
import { withoutLinks } from './first-file.ts';

/**
 * A log of numbered lines in a folder that several processes, on several computers, append to:
 *   000000001501.json                 one line, made as a whole and under its name once only: so two who append at once meet there
 *   000000000001-000000001000.jsonl   lines that were packed; single files of the same numbers count no more
 * Nobody holds a lock, so nobody who was killed leaves one. A line is on the disk when `append` returns.
 */
export class AppendLog {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Returns the last line; undefined when there is none. Throws what the file system throws. */
  async last(): Promise<NumberedLine | undefined> {
    return again(async () => {
      const { singles, packs } = await this.#list();
      const single = singles.at(-1);
      if (single !== undefined) return { number: single, ...(await this.#single(single)) };
      const pack = packs.at(-1);
      if (!pack) return undefined;
      return { number: pack.last, file: pack.file, text: (await this.#packed(pack)).at(-1) ?? '' };
    });
  }

  /** Returns the text of the line with a number; undefined when there is none. */
  async find(number: number, numberOf: (text: string) => number | undefined): Promise<string | undefined> {
    return again(async () => {
      const { singles, packs } = await this.#list();
      if (singles.includes(number)) return (await this.#single(number)).text;
      const pack = packs.find(({ first, last }) => first <= number && number <= last);
      return pack && (await this.#packed(pack)).find((text) => numberOf(text) === number);
    });
  }

  /** Returns all lines in order, with the file that each is in, and its line there from 1 on. */
  async all(): Promise<readonly NumberedLine[]> {
    return again(async () => {
      const { singles, packs } = await this.#list();
      const packed = await inBatches(packs, async (pack) =>
        (await this.#packed(pack)).map((text, index) => ({ file: pack.file, line: index + 1, text })),
      );
      const rest = await inBatches(singles, async (number) => ({ number, ...(await this.#single(number)) }));
      return [...packed.flat(), ...rest];
    });
  }

  /** Appends a line under a number. Returns false when there is one with that number already. */
  async append(number: number, text: string): Promise<boolean> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    const name = singleName(number);
    if (!(await this.#make(name, `${text}\n`))) return false;
    failpoint('audit:appended');
    const listed = await this.#list();
    const { singles, packs } = listed;
    // Who slept for a thousand entries may have taken a number that was packed since.
    if (packs.some(({ last }) => last >= number)) {
      await rm(join(this.folder, name), { force: true });
      return false;
    }
    await this.#removeLeft(listed);
    // What cannot be packed now is packed by who appends next.
    if (singles.length >= packAt) await this.#pack(singles.slice(0, packLength)).catch(() => undefined);
    return true;
  }

  /** Puts the oldest single lines into one file. Whoever does the same at once makes the same file. */
  async #pack(numbers: readonly number[]): Promise<void> {
    const lines = await inBatches(numbers, async (number) => (await this.#single(number)).text);
    const [first = 0, last = 0] = [numbers[0], numbers.at(-1)];
    const { packs } = await this.#list();
    if (packs.some((pack) => pack.last >= first)) return;
    await this.#make(`${digits(first)}-${digits(last)}.jsonl`, lines.map((line) => `${line}\n`).join(''));
    failpoint('audit:packed');
    await this.#removeLeft(await this.#list());
  }

  /** Removes single lines that are packed, and drafts of killed processes: one that is an hour old is nobody's any more. */
  async #removeLeft({ packed, drafts }: Listed): Promise<void> {
    const hourAgo = Date.now() - 3_600_000;
    for (const number of packed)
      await rm(join(this.folder, singleName(number)), { force: true }).catch(() => undefined);
    for (const name of drafts) {
      const path = join(this.folder, name);
      const changed = (await stat(path).catch(() => undefined))?.mtimeMs ?? Infinity;
      if (changed < hourAgo) await rm(path, { force: true }).catch(() => undefined);
    }
  }

  /** Makes a file as a whole, and durable. Returns false when there is one of that name. */
  async #make(name: string, text: string): Promise<boolean> {
    const path = join(this.folder, name);
    const draft = `${path}.${randomUUID()}.draft`;
    await writeThrough(draft, text);
    try {
      failpoint('audit:drafted');
      await link(draft, path);
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST') return false;
      if (!withoutLinks.includes(code)) throw error;
      // A file system without hard links: a power cut may leave half of a line here.
      if (!(await writeThrough(path, text).then(() => true, isThere))) return false;
    } finally {
      await rm(draft, { force: true });
    }
    await flushFolder(this.folder);
    return true;
  }

  async #single(number: number): Promise<Omit<NumberedLine, 'number'>> {
    const file = singleName(number);
    return { file, text: withoutEnd(await readFile(join(this.folder, file), 'utf8')) };
  }

  async #packed({ file }: Pack): Promise<string[]> {
    return withoutEnd(await readFile(join(this.folder, file), 'utf8')).split('\n');
  }

  async #list(): Promise<Listed> {
    const names = await readdir(this.folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    const packs = names
      .flatMap((file): Pack[] => {
        const found = /^(\d{12})-(\d{12})\.jsonl$/.exec(file);
        return found ? [{ file, first: Number(found[1]), last: Number(found[2]) }] : [];
      })
      .sort((a, b) => a.first - b.first);
    const end = Math.max(0, ...packs.map(({ last }) => last));
    const numbers = names
      .flatMap((file) => /^(\d{12})\.json$/.exec(file)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => a - b);
    return {
      packs,
      singles: numbers.filter((number) => number > end),
      packed: numbers.filter((number) => number <= end),
      drafts: names.filter((name) => name.endsWith('.draft')),
    };
  }
}

/** A line of a log, and where it is. */
export interface NumberedLine {
  /** of a file of its own: the number in its name */
  readonly number?: number;
  readonly file: string;
  /** of a packed one: from 1 on */
  readonly line?: number;
  readonly text: string;
}

/** What is in a log's folder. */
interface Listed {
  readonly packs: readonly Pack[];
  /** numbers of lines in files of their own */
  readonly singles: readonly number[];
  /** the same of those that are packed, and count no more */
  readonly packed: readonly number[];
  readonly drafts: readonly string[];
}

interface Pack {
  readonly file: string;
  readonly first: number;
  readonly last: number;
}

/** So many single files are there when the oldest are packed, and so many of them are. */
const packAt = 1500;
const packLength = 1000;

/** Files that are read at the same time. */
const batch = 64;

const digits = (number: number) => String(number).padStart(12, '0');
const singleName = (number: number) => `${digits(number)}.json`;

function withoutEnd(text: string): string {
  return text.endsWith('\n') ? text.slice(0, -1) : text;
}

function isThere(error: NodeJS.ErrnoException): false {
  if (error.code === 'EEXIST') return false;
  throw error;
}

/** Reads once more where files were packed meanwhile. */
async function again<T>(read: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await read();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || tries >= 5) throw error;
    }
  }
}

async function inBatches<In, Out>(all: readonly In[], work: (each: In) => Promise<Out>): Promise<Out[]> {
  const done: Out[] = [];
  for (let at = 0; at < all.length; at += batch) done.push(...(await Promise.all(all.slice(at, at + batch).map(work))));
  return done;
}

async function writeThrough(path: string, text: string): Promise<void> {
  const handle = await open(path, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A new name is durable once its folder is. Where folders cannot be flushed, nothing more can be done. */
async function flushFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}
