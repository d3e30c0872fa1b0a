import {
  noEntry,
  parseLine,
  signedText,
  type AuditEntry,
  type AuditHead,
  type AuditLine,
  type AuditSignature,
  type MissingHead,
  type OpenIntent,
} from '../model/audit-entry.ts';
import { isSignedBy } from '../model/public-key.ts';
import { keyOfId, keyProblem, type TrustedKey } from '../model/trusted-key.ts';

/** A line of the log as it is kept, and where. */
export interface KeptLine {
  readonly text: string;
  /** `000000000012.json`, or `000000000001-000000001000.jsonl line 7` */
  readonly place: string;
}

/** What the log is compared with. */
export interface AuditProof {
  readonly app: string;
  /** ends of the log that others know, with who does */
  readonly anchors: readonly MissingHead[];
  /** the keys that the project trusts; absent: none, and signatures are counted as they are there */
  readonly keys?: readonly TrustedKey[];
}

/** What is so of an audit log. */
export interface AuditReport {
  readonly entries: number;
  readonly head?: AuditHead;
  /** what is wrong, first things first; nothing when the log is whole */
  readonly problems: readonly string[];
  /** what is missing, and a person has accepted */
  readonly accepted: readonly string[];
  /** operations that have no outcome yet */
  readonly open: readonly OpenIntent[];
  /** number of the last entry with a signature that counts; absent: none has one */
  readonly signed?: number;
  /** why signatures that are right count for nothing, as of keys that were revoked since */
  readonly uncounted: readonly string[];
  /** who knows an end of the log that is in it */
  readonly anchors: readonly { readonly from: string; readonly number: number }[];
}

/** Problems that are named; more say the same. */
const mostProblems = 20;

/**
 * Judges a log: each line is whole and what its hash says, each follows the one before, signatures count, and all that others
 * know of it is there.
 */
export function judgeAudit(lines: readonly KeptLine[], proof: AuditProof): AuditReport {
  const problems: string[] = [];
  const hashes = new Map<number, string>();
  const gaps: AuditEntry[] = [];
  let before: AuditLine | undefined;
  let isBroken = false;
  let signed: number | undefined;
  let accepted: number | undefined;
  const uncounted = new Set<string>();
  for (const { text, place } of lines) {
    const line = attempt(text, (why) => problems.push(`${place}: ${why}`));
    if (!line) {
      isBroken = true;
      continue;
    }
    const { entry, hash, signature } = line;
    // After a line that cannot be read, nobody knows what the next one has to follow.
    const problem = isBroken ? undefined : orderProblem(before, entry);
    if (problem !== undefined) problems.push(`${place}: ${problem}`);
    const judged = signature && judgeSignature(line, signature, proof);
    if (judged === 'good') signed = entry.number;
    else if (judged === 'forged') problems.push(`${place}: the signature of entry ${entry.number} is none of its key`);
    else if (judged !== undefined) uncounted.add(judged);
    if (entry.kind === 'accepted') accepted = entry.number;
    // Who repeats what another one forged is not named once more.
    if (entry.accepted !== accepted && (entry.accepted !== before?.entry.accepted || entry.kind === 'accepted'))
      problems.push(`${place}: ${acceptedProblem(entry, accepted)}`);
    if (entry.kind === 'accepted' && !entry.missing?.length)
      problems.push(`${place}: entry ${entry.number} accepts that something is missing, and says not what`);
    if (entry.missing) gaps.push(entry);
    hashes.set(entry.number, hash);
    [before, isBroken] = [line, false];
  }
  const upTo = accepted ?? 0;
  const [known, unknown] = judgeAnchors(proof.anchors, { hashes, accepted: upTo, last: before?.entry.number ?? 0 });
  problems.push(...gaps.filter(({ number, kind }) => kind !== 'accepted' && number > upTo).map(gapText), ...unknown);
  const more = problems.length - mostProblems;
  return {
    entries: lines.length,
    ...(before ? { head: { number: before.entry.number, hash: before.hash } } : {}),
    problems: more > 0 ? [...problems.slice(0, mostProblems), `and ${more} more`] : problems,
    accepted: gaps.filter(({ kind }) => kind === 'accepted').map(acceptedText),
    open: before?.entry.open ?? [],
    ...(signed === undefined ? {} : { signed }),
    uncounted: [...uncounted],
    anchors: known,
  };
}

function attempt(text: string, onProblem: (why: string) => void): AuditLine | undefined {
  try {
    return parseLine(text);
  } catch (error) {
    onProblem(error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

/** Returns whether a signature is good or forged, or why it counts for nothing although it is right. */
function judgeSignature(
  { entry, hash }: AuditLine,
  { keyId, value }: AuditSignature,
  { app, keys = [] }: AuditProof,
): string {
  const key = keyOfId(keys, keyId);
  if (!key) return `a key that is none of this project signed (${keyId.slice(0, 12)})`;
  const text = signedText(app, { number: entry.number, hash });
  if (!isSignedBy(key, Buffer.from(text), Buffer.from(value, 'base64'))) return 'forged';
  return keyProblem(key, { kind: 'audit', at: Date.parse(entry.at) }) ?? 'good';
}

/** Returns why an entry cannot follow the one before it. */
function orderProblem(
  before: AuditLine | undefined,
  { number, previous, missing = [] }: AuditEntry,
): string | undefined {
  const last = before?.entry.number ?? 0;
  if (number <= last) return `entry ${number} comes after entry ${last}: entries are out of order, or there twice`;
  const jump = Math.max(last, ...missing.map((each) => each.number)) + 1;
  if (number !== last + 1 && number !== jump) {
    const between = number - last - 1;
    return between === 1 ? `entry ${last + 1} is missing` : `entries ${last + 1} to ${number - 1} are missing`;
  }
  if (previous === (before?.hash ?? noEntry)) return undefined;
  return before
    ? `entry ${number} was not written after this entry ${last}: one of them was changed`
    : `entry ${number} does not begin a log`;
}

/** Returns why an entry does not say rightly which one was the last that accepted something. */
function acceptedProblem({ number, accepted }: AuditEntry, last: number | undefined): string {
  const said = accepted === undefined ? 'no entry' : `entry ${accepted}`;
  const right = last === undefined ? 'none did' : `the last that did is ${last}`;
  return `entry ${number} says that ${said} accepted what is missing, and ${right}`;
}

/** Returns the anchors that are in the log, and what is wrong with others. */
function judgeAnchors(
  anchors: readonly MissingHead[],
  {
    hashes,
    accepted,
    last,
  }: { readonly hashes: ReadonlyMap<number, string>; readonly accepted: number; readonly last: number },
): [known: AuditReport['anchors'], unknown: string[]] {
  const known = anchors.filter(({ number, hash }) => hashes.get(number) === hash);
  const unknown = anchors.filter((each) => !known.includes(each) && each.number > accepted);
  return [
    known.map(({ from, number }) => ({ from, number })),
    unknown.map(({ from, number }) =>
      number > last
        ? `${from} knows entry ${number}, and the log ends with ${last}: it was cut, or is an older copy`
        : `${from} knows another entry ${number}: the log was written anew`,
    ),
  ];
}

function gapText({ number, operation, missing = [] }: AuditEntry): string {
  return `${operation} (entry ${number}) found that something is missing: ${missing.map(missingText).join(', ')}`;
}

function acceptedText({ number, actor, at, reason = '', missing = [] }: AuditEntry): string {
  return `${actor} accepted at ${at} (entry ${number}) that something is missing: ${missing.map(missingText).join(', ')}: ${reason}`;
}

function missingText({ number, from }: MissingHead): string {
  return `entry ${number}, which ${from} knew`;
}

/** An operation as the log has it. */
export interface AuditedOperation {
  /** its intent; what was refused has none, and is its own */
  readonly entry: AuditEntry;
  readonly outcome?: AuditEntry;
  /** `open`: none is known yet; `abandoned`: it ended without one */
  readonly end: 'known' | 'open' | 'abandoned';
}

/** Returns the operations of a log, oldest first. */
export function operationsOf(entries: readonly AuditEntry[]): AuditedOperation[] {
  const outcomes = new Map(entries.flatMap((entry) => (entry.intent === undefined ? [] : [[entry.intent, entry]])));
  const abandoned = new Set(entries.flatMap((entry) => entry.abandoned ?? []));
  return entries
    .filter(({ kind }) => kind !== 'outcome')
    .map((entry): AuditedOperation => {
      const outcome = outcomes.get(entry.number);
      if (outcome) return { entry, outcome, end: 'known' };
      if (entry.kind !== 'intent') return { entry, end: 'known' };
      return { entry, end: abandoned.has(entry.number) ? 'abandoned' : 'open' };
    });
}
