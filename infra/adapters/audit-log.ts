import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LockageError, messageOf } from '../../pipelines/errors.ts';
import {
  hashOfEntry,
  parseLine,
  lineText,
  signedText,
  type AuditEntry,
  type AuditHead,
  type AuditLine,
  type AuditProcess,
} from '../../pipelines/model/audit-entry.ts';
import type { Signer } from '../../pipelines/model/signer.ts';
import type { AuditLog } from '../../pipelines/operations/ports/audit.ts';
import { AppendLog, type NumberedLine } from '../system/append-log.ts';
import { writeAtomic } from '../system/atomic-file.ts';
import { runsStill } from '../system/process-mark.ts';
import { thisProcess } from '../system/this-process.ts';

/** The parts of an audit log. */
export interface AuditDependencies {
  readonly app: string;
  /** folder of the backend's, which all operators share */
  readonly folder: string;
  /** the folder is this computer's, as the backend is none */
  readonly isOwn?: boolean;
  /** where this computer keeps the newest entry that it has seen */
  readonly memory: string;
  /** Returns who signs entries; undefined where nobody does. Absent: nobody ever does */
  readonly signer?: () => Promise<Signer | undefined>;
  /** Tells the operator something. */
  readonly tell?: (text: string) => void;
}

/** The audit log of a project in the folder of its backend. */
export class AuditLogAdapter implements AuditLog {
  readonly isShared: boolean;
  readonly #dependencies: AuditDependencies;
  readonly #log: AppendLog;
  #signer: Promise<Signer | undefined> | undefined;

  constructor(dependencies: AuditDependencies) {
    this.#dependencies = dependencies;
    this.isShared = dependencies.isOwn !== true;
    this.#log = new AppendLog(dependencies.folder);
  }

  async last(): Promise<AuditLine | undefined> {
    const last = await this.#tried(() => this.#log.last());
    return last && lineOf(last);
  }

  async append(make: (last: AuditLine | undefined) => AuditEntry): Promise<AuditLine> {
    for (let tries = 0; tries < mostTries; tries += 1) {
      const entry = make(await this.last());
      const line = await this.#signed({ entry, hash: hashOfEntry(entry) });
      const text = readableText(line);
      if (!(await this.#tried(() => this.#log.append(entry.number, text)))) continue;
      await this.#remember({ number: entry.number, hash: line.hash });
      return line;
    }
    throw new LockageError(`the audit log cannot be used: others were quicker ${mostTries} times`, {
      details: [this.#dependencies.folder],
      hint: 'Run `lockage audit verify`, then try again.',
    });
  }

  async within<T>(milliseconds: number, work: Promise<T>): Promise<T | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), milliseconds).unref();
    });
    return Promise.race([work, over]).finally(() => clearTimeout(timer));
  }

  async has({ number, hash }: AuditHead): Promise<boolean> {
    const text = await this.#tried(() => this.#log.find(number, numberOf));
    return text !== undefined && hashOf(text) === hash;
  }

  /** Returns all lines as they are in the log, whatever is wrong with them. */
  async lines(): Promise<readonly NumberedLine[]> {
    return this.#tried(() => this.#log.all());
  }

  async seen(): Promise<AuditHead | undefined> {
    const text = await readFile(this.#dependencies.memory, 'utf8').catch(() => '');
    try {
      const { number, hash } = JSON.parse(text) as Partial<AuditHead>;
      return Number.isSafeInteger(number) && typeof hash === 'string' ? { number: number ?? 0, hash } : undefined;
    } catch {
      return undefined;
    }
  }

  process(): Promise<AuditProcess> {
    return thisProcess();
  }

  async hasEnded(process: AuditProcess): Promise<boolean> {
    // The log does not keep when a process was started.
    return (await runsStill({ ...process, started: '' })) === false;
  }

  /** What this computer remembers may be behind, as another command of it has gone on: it must only never be ahead. */
  async #remember(head: AuditHead): Promise<void> {
    const before = await this.seen();
    if (before && before.number >= head.number) return;
    await writeAtomic(this.#dependencies.memory, JSON.stringify(head)).catch(() => undefined);
  }

  /** An entry without a signature is better than none: that it could not be signed is told. */
  async #signed(line: AuditLine): Promise<AuditLine> {
    const { app, signer, tell } = this.#dependencies;
    const { number } = line.entry;
    try {
      const found = await (this.#signer ??= signer?.() ?? Promise.resolve(undefined));
      if (!found) return line;
      const value = await found.sign(Buffer.from(signedText(app, { number, hash: line.hash })));
      return { ...line, signature: { keyId: found.keyId, value: value.toString('base64') } };
    } catch (error) {
      tell?.(`AUDIT: entry ${number} is not signed: ${messageOf(error)}`);
      return line;
    }
  }

  async #tried<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw new LockageError(`the audit log cannot be used: ${messageOf(error)}`, {
        details: [this.#dependencies.folder],
        hint: 'Make the folder readable and writable, with room on its disk, then try again.',
        cause: error,
      });
    }
  }
}

/** Returns the folder of a project's audit log in a backend that is a folder. */
export function auditFolder(backend: string, app: string): string {
  return join(backend, 'audit', app);
}

/** So often an entry is written anew, as somebody else was quicker. */
const mostTries = 100;

/** Returns the text of a line, which whoever reads the log next has to believe. */
function readableText(line: AuditLine): string {
  const text = lineText(line);
  try {
    parseLine(text);
    return text;
  } catch (error) {
    throw new LockageError(`what is to be written into the audit log could not be read again: ${messageOf(error)}`);
  }
}

function lineOf({ number, file, line = 1, text }: NumberedLine): AuditLine {
  try {
    const read = parseLine(text);
    // Who appends goes on from the entry's number, and the file's is what must not be there yet.
    if (read.entry.number !== number) throw new Error(`entry ${read.entry.number} lies where ${number} has to be`);
    return read;
  } catch (error) {
    throw new LockageError(`the audit log is damaged at its end: ${messageOf(error)}`, {
      details: [`${file}, line ${line}`],
      hint: 'Run `lockage audit verify`; docs/audit.md says what helps.',
    });
  }
}

function numberOf(text: string): number | undefined {
  return attempted(text)?.entry.number;
}

/** Returns the hash that a line really has, which it need not say. */
function hashOf(text: string): string | undefined {
  return attempted(text)?.hash;
}

function attempted(text: string): AuditLine | undefined {
  try {
    return parseLine(text);
  } catch {
    return undefined;
  }
}
