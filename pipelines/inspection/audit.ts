import {
  noEntry,
  parseLine,
  signedText,
  type AuditEntry,
  type AuditHead,
  type AuditLine,
  type MissingHead,
  type OpenIntent,
} from '../model/audit-entry.ts';

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
  /** Returns why a signature of a text counts for nothing; undefined when it is one of a trusted key. Absent: no key is configured */
  readonly signatureProblem?: (
    signature: { readonly keyId: string; readonly value: string },
    signed: SignedHead,
  ) => string | undefined;
}

/** A text that was signed, and when, as the signer says: ms since 1970. */
export interface SignedHead {
  readonly text: string;
  readonly at: number;
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
  /** number of the last signed entry; absent: none is */
  readonly signed?: number;
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
    const unsigned = signature && proof.signatureProblem?.(signature, signedHead(proof.app, line));
    if (unsigned !== undefined)
      problems.push(`${place}: the signature of entry ${entry.number} does not count: ${unsigned}`);
    else if (signature) signed = entry.number;
    if (entry.missing) gaps.push(entry);
    hashes.set(entry.number, hash);
    [before, isBroken] = [line, false];
  }
  const accepted = before?.entry.accepted ?? 0;
  const [known, unknown] = judgeAnchors(proof.anchors, { hashes, accepted, last: before?.entry.number ?? 0 });
  problems.push(
    ...gaps.filter(({ number, kind }) => kind !== 'accepted' && number > accepted).map(gapText),
    ...unknown,
  );
  const more = problems.length - mostProblems;
  return {
    entries: lines.length,
    ...(before ? { head: { number: before.entry.number, hash: before.hash } } : {}),
    problems: more > 0 ? [...problems.slice(0, mostProblems), `and ${more} more`] : problems,
    accepted: gaps.filter(({ kind }) => kind === 'accepted').map(acceptedText),
    open: before?.entry.open ?? [],
    ...(signed === undefined ? {} : { signed }),
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

function signedHead(app: string, { entry, hash }: AuditLine): SignedHead {
  return { text: signedText(app, { number: entry.number, hash }), at: Date.parse(entry.at) };
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
