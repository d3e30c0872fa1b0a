import { createHash } from 'node:crypto';
import { canonicalJson } from './fingerprint.ts';
import type { Gate } from './gate.ts';
import { isAuditEntry } from './is-audit-entry.ts';
import type { Release } from './release.ts';

/** A point of the audit log: all up to it follows from the hash. */
export interface AuditHead {
  readonly number: number;
  /** 64 hex digits: the SHA-256 of the entry with that number */
  readonly hash: string;
}

/** What an operation says of itself in the audit log. More of it is known the further it is. */
export interface AuditFacts {
  readonly environment?: string;
  readonly release?: Pick<Release, 'version'> & Partial<Pick<Release, 'digest'>>;
  /** number of the revision that it makes */
  readonly revision?: number;
  /** hash of the configuration that the environment gets */
  readonly configuration?: string;
  readonly gates?: readonly AuditGate[];
  /** why gates were passed that are not met */
  readonly breakGlass?: string;
  readonly reason?: string;
  /** what else was asked for: the host, accessory or file that it is about */
  readonly about?: Readonly<Record<string, string>>;
}

/** A gate as the log keeps it. `passed`: it was not met, and somebody broke the glass. */
export interface AuditGate extends Pick<Gate, 'gate' | 'from' | 'met' | 'text'> {
  readonly passed?: true;
}

/** The process that wrote an entry. */
export interface AuditProcess {
  readonly machine: string;
  readonly pid: number;
  /** where `pid` is valid: a boot of a computer, and a pid namespace */
  readonly pidSpace: string;
}

/** An intent that has no outcome yet. */
export interface OpenIntent {
  readonly number: number;
  readonly environment?: string;
  readonly process: AuditProcess;
}

/** What somebody else knows of the log, and it does not have. */
export interface MissingHead extends AuditHead {
  /** who knows it: `prod`, or `prod-1 of prod` */
  readonly from: string;
}

/**
 * One entry of the audit log. `intent`: written before the first change of an operation; `outcome`: after it; `refusal`: of an
 * operation that was refused and changed nothing; `accepted`: a person knows what is missing.
 */
export interface AuditEntry extends AuditFacts {
  /** from 1 on, without gaps but where `missing` says why */
  readonly number: number;
  /** ISO 8601, by the clock of who wrote it: numbers order entries, and times do not */
  readonly at: string;
  readonly kind: 'intent' | 'outcome' | 'refusal' | 'accepted';
  /** hash of the entry before; 64 zeros before the first */
  readonly previous: string;
  /** its name among the operations: `promote` */
  readonly operation: string;
  /** `user@machine` */
  readonly actor: string;
  readonly process: AuditProcess;
  /** of an outcome: the number of its intent */
  readonly intent?: number;
  /** of an outcome or a refusal: what the command ended with */
  readonly exitCode?: number;
  /** what failed */
  readonly error?: string;
  /** numbers of intents whose operations have ended without an outcome, as is known now */
  readonly abandoned?: readonly number[];
  /** intents without an outcome, this one among them */
  readonly open?: readonly OpenIntent[];
  readonly missing?: readonly MissingHead[];
  /** number of the last entry of kind `accepted`: what others know up to there, and is not here, is known to be missing */
  readonly accepted?: number;
}

/** The signature over an entry's hash, and so over all entries before it. */
export interface AuditSignature {
  /** 64 hex digits: of the public key */
  readonly keyId: string;
  /** base64: over `signedText` */
  readonly value: string;
}

/** An entry with what proves it. */
export interface AuditLine {
  readonly entry: AuditEntry;
  readonly hash: string;
  readonly signature?: AuditSignature;
}

/** The most characters of a reason that are kept. */
export const longestReason = 1000;

/**
 * Returns up to which number a log says that what is missing was accepted. None was later than the last entry: whoever wrote
 * that wanted to hide what comes.
 */
export function acceptedUpTo(last: AuditLine | undefined): number {
  const { number, accepted = 0 } = last?.entry ?? { number: 0 };
  return accepted > 0 && accepted <= number ? accepted : 0;
}

/** The hash before the first entry. */
export const noEntry = '0'.repeat(64);

/** Returns the SHA-256 of an entry in canonical JSON: members sorted, no space, UTF-8. */
export function hashOfEntry(entry: AuditEntry): string {
  return sha256(canonicalJson(entry));
}

/** The last number that somebody else is believed to know: no log comes so far, and one that goes on from there has room. */
const lastBelieved = 10 ** 11;

/** Returns whether something may be the end of a log: a host says what it likes. */
export function isHead(value: unknown): value is AuditHead {
  const { number, hash } = Object(value) as Partial<Record<keyof AuditHead, unknown>>;
  const isBelieved =
    typeof number === 'number' && Number.isSafeInteger(number) && number >= 1 && number <= lastBelieved;
  return isBelieved && typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash);
}

/** Returns the text that is signed: of one log, so that no signature counts for another one. */
export function signedText(app: string, { number, hash }: AuditHead): string {
  return `lockage audit 1\n${app}\n${number}\n${hash}\n`;
}

/** Returns an entry as the log keeps it: one line, without its end. */
export function lineText(line: AuditLine): string {
  return written(canonicalJson(line.entry), line);
}

function written(body: string, { hash, signature }: Pick<AuditLine, 'hash' | 'signature'>): string {
  const signed = signature ? `,"signature":${canonicalJson(signature)}` : '';
  return `{"entry":${body},"hash":"${hash}"${signed}}`;
}

/** The longest line that is believed: characters. What operations write is far shorter. */
const longestLine = 256 * 1024;

/**
 * Reads a line of the log. Throws an Error that says what is wrong with it: it is not whole, not written as the log writes, or not
 * what its hash says.
 */
export function parseLine(text: string): AuditLine {
  if (text.length > longestLine) throw new Error('it is longer than any entry');
  const line = parsed(text);
  if (typeof line !== 'object' || line === null) throw new Error('it is no entry');
  const { entry, hash } = line;
  if (!isAuditEntry(entry) || typeof hash !== 'string' || !isSignature(line.signature))
    throw new Error('it is no entry');
  const body = canonicalJson(entry);
  if (sha256(body) !== hash && text.startsWith(`{"entry":${body},`))
    throw new Error('it was changed: its hash is another one');
  // As it is written and not only what it means: nothing can be hidden in spaces or doubled members.
  if (text !== written(body, line)) throw new Error('it is not written as entries are');
  return line;
}

function parsed(text: string): AuditLine {
  try {
    return JSON.parse(text) as AuditLine;
  } catch {
    throw new Error('it is not whole');
  }
}

function isSignature(value: unknown): boolean {
  if (value === undefined) return true;
  if (typeof value !== 'object' || value === null) return false;
  const { keyId, value: signature } = value as Readonly<Record<string, unknown>>;
  return typeof keyId === 'string' && typeof signature === 'string';
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
