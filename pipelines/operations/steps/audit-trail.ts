import { detailsOf, LockageError, messageOf, NotStartedError } from '../../errors.ts';
import {
  acceptedUpTo,
  isHead,
  longestReason,
  noEntry,
  type AuditEntry,
  type AuditFacts,
  type AuditHead,
  type AuditLine,
  type AuditProcess,
  type MissingHead,
  type OpenIntent,
} from '../../model/audit-entry.ts';
import { printable } from '../../text/printable.ts';
import { ExitCode, exitCodeFor, exitCodeOfResult } from '../../model/exit-code.ts';
import type { Context } from '../ports.ts';

/** What the trail of an operation needs of its context. */
type Traced = Pick<Context, 'audit' | 'actor' | 'now' | 'secrets' | 'terminal'>;

/** Operations that take back, stop or mend: a log that is broken makes them loud, and never keeps them from anything. */
const neverStopped: ReadonlySet<string> = new Set([
  ...['rollback', 'heal', 'cordon', 'block', 'unlock', 'unlockRecords', 'adopt', 'startMachines'],
]);

/**
 * The trail of one operation in the audit log: an intent before its first change, and an outcome after it. Where the log lacks
 * what others know of it, or cannot be written, an operation is refused before it changes anything; one that takes back, stops or
 * mends goes on, loudly.
 */
export class AuditTrail {
  readonly #context: Traced;
  readonly #operation: string;
  readonly #onlyPlans: boolean;
  readonly #anchors: MissingHead[] = [];
  readonly #locked = new Set<string>();
  /** who says to know what is no entry */
  readonly #strange = new Set<string>();
  #facts: AuditFacts;
  #begun: Promise<AuditLine | undefined> | undefined;
  #ready: Promise<unknown> | undefined;
  #head: AuditHead | undefined;

  /** `onlyPlans`: nothing is to be changed, and a refusal is none of anything */
  constructor(context: Traced, operation: string, facts: AuditFacts, onlyPlans = false) {
    this.#onlyPlans = onlyPlans;
    this.#context = context;
    this.#operation = operation;
    this.#facts = facts;
  }

  /** Adds to what the log will say of the operation. */
  tell(facts: AuditFacts): void {
    this.#facts = { ...this.#facts, ...facts };
  }

  /** Notes that the operation holds an environment's lock: whoever was at work there before has ended. */
  locked(environment: string): void {
    this.#locked.add(environment);
  }

  /** Notes what somebody else knows of the log. */
  anchored(anchor: AuditHead | undefined, from: string): void {
    if (!anchor || !this.#context.audit.isShared) return;
    // Its numbers would be kept free, and no entry could be written any more.
    if (!isHead(anchor)) return this.#unbelieved(from);
    const { number, hash } = anchor;
    if (this.#anchors.some((each) => each.from === from && each.hash === hash)) return;
    this.#anchors.push({ number, hash, from });
  }

  #unbelieved(from: string): void {
    if (this.#strange.has(from)) return;
    this.#strange.add(from);
    this.#loud(`what ${from} says to know of it is no entry of any log`);
  }

  /** Returns the end of the log as an environment is to keep it: what it had before, where the log cannot be read. */
  headFor(environment: string): AuditHead | undefined {
    const before = this.#anchors.findLast(({ from }) => from === environment);
    if (!this.#context.audit.isShared) return undefined;
    return this.#head ?? (before && { number: before.number, hash: before.hash });
  }

  /** Writes the intent, once. Throws LockageError when the log refuses the operation. */
  async begin(): Promise<void> {
    this.#begun ??= this.#begin();
    // Once for all that changes, and not before each of it.
    this.#ready ??= this.#waited(this.#begun, mostBefore);
    await this.#ready;
  }

  /** Traffic that goes back waits for no log that is slow, whatever is slow in it. */
  async #waited<T>(work: Promise<T>, milliseconds: number): Promise<T | undefined> {
    return this.#operation === 'rollback' ? this.#context.audit.within(milliseconds, work) : work;
  }

  /** Writes the outcome, or that gates refused the operation. Of anything else that changed nothing, nothing is written. Never throws. */
  async end(end: { readonly error: unknown } | { readonly result: unknown }): Promise<void> {
    try {
      const intent = await this.#writtenIntent();
      if (!this.#begun && 'error' in end) await this.#refused(end.error);
      if (!intent) return;
      const { process } = intent.entry;
      await this.#append((last) => {
        const open = (last?.entry.open ?? []).filter(({ number }) => number !== intent.entry.number);
        return {
          ...this.#entry('outcome', last, process),
          intent: intent.entry.number,
          ...this.#endOf(end),
          ...(open.length > 0 ? { open } : {}),
        };
      });
    } catch (error) {
      this.#loud(`how this ended is not in the audit log: ${messageOf(error)}`);
    }
  }

  async #writtenIntent(): Promise<AuditLine | undefined> {
    if (!this.#begun) return undefined;
    const written = this.#begun.then(
      (intent) => ({ intent }),
      () => ({ intent: undefined }),
    );
    const known = await this.#waited(written, mostAfter);
    if (!known) this.#loud(`this may not be in the audit log, which gave no answer within ${mostAfter / 1000} s`);
    return known?.intent;
  }

  /** Writes that gates have refused a release: who tried to bring it in is worth knowing. */
  async #refused(error: unknown): Promise<void> {
    const isByGates = this.#facts.gates?.some(({ met, passed }) => !met && !passed) ?? false;
    if (this.#onlyPlans || !isByGates || exitCodeFor(error) !== ExitCode.refused) return;
    const process = await this.#context.audit.process();
    await this.#append((last) => {
      const { open } = last?.entry ?? {};
      return { ...this.#entry('refusal', last, process), ...this.#endOf({ error }), ...(open ? { open } : {}) };
    });
  }

  async #begin(): Promise<AuditLine | undefined> {
    try {
      const { audit } = this.#context;
      const missing = await this.#missing();
      if (missing.length > 0) this.#refuse(missing);
      const process = await audit.process();
      const ended = await this.#endedIntents(await audit.last());
      return await this.#append((last) => this.#intent(last, process, { ended, missing }));
    } catch (error) {
      if (!neverStopped.has(this.#operation)) throw notStarted(error);
      this.#loud(`this is not in the audit log: ${messageOf(error)}`);
      return undefined;
    }
  }

  #intent(
    last: AuditLine | undefined,
    process: AuditProcess,
    { ended, missing }: { readonly ended: ReadonlySet<number>; readonly missing: readonly MissingHead[] },
  ): AuditEntry {
    const isOver = ({ number, environment }: OpenIntent) =>
      ended.has(number) || (environment !== undefined && this.#locked.has(environment));
    const known = last?.entry.open ?? [];
    const rest = known.filter((each) => !isOver(each)).slice(1 - mostOpen);
    const abandoned = known.filter((each) => !rest.includes(each)).map(({ number }) => number);
    const bare = this.#entry('intent', last, process);
    // What others know to have been there keeps its numbers.
    const number = Math.max(bare.number, ...missing.map((each) => each.number + 1));
    const { environment } = this.#facts;
    const own: OpenIntent = { number, ...(environment === undefined ? {} : { environment }), process };
    return {
      ...bare,
      number,
      ...(abandoned.length > 0 ? { abandoned } : {}),
      open: [...rest, own],
      ...(missing.length > 0 ? { missing } : {}),
    };
  }

  #entry(kind: AuditEntry['kind'], last: AuditLine | undefined, process: AuditProcess): AuditEntry {
    const { actor, now, secrets } = this.#context;
    const { reason, breakGlass, ...facts } = this.#facts;
    const kept = (text: string) => secrets.mask(text).slice(0, longestReason);
    const accepted = acceptedUpTo(last);
    return {
      ...facts,
      ...(reason === undefined ? {} : { reason: kept(reason) }),
      ...(breakGlass === undefined ? {} : { breakGlass: kept(breakGlass) }),
      number: (last?.entry.number ?? 0) + 1,
      at: new Date(now()).toISOString(),
      kind,
      previous: last?.hash ?? noEntry,
      operation: this.#operation,
      actor,
      process,
      ...(accepted === 0 ? {} : { accepted }),
    };
  }

  #endOf(end: { readonly error: unknown } | { readonly result: unknown }): Pick<AuditEntry, 'exitCode' | 'error'> {
    if (!('error' in end)) return { exitCode: exitCodeOfResult(this.#operation, end.result) };
    // A secret that is cut is none that is known.
    const text = this.#context.secrets.mask([messageOf(end.error), ...detailsOf(end.error)].join('; '));
    return { exitCode: exitCodeFor(end.error), error: text.slice(0, longestError) };
  }

  async #append(make: (last: AuditLine | undefined) => AuditEntry): Promise<AuditLine> {
    const line = await this.#context.audit.append((last) => plain(make(last)));
    this.#head = { number: line.entry.number, hash: line.hash };
    return line;
  }

  /** Returns what others know of the log, and it does not have. */
  async #missing(): Promise<readonly MissingHead[]> {
    const { audit } = this.#context;
    const seen = await audit.seen();
    const all = [...this.#anchors, ...(seen ? [{ ...seen, from: 'this computer' }] : [])];
    const each = await Promise.all(all.map(async (anchor) => ((await audit.has(anchor)) ? [] : [anchor])));
    const found = each.flat();
    if (found.length === 0) return [];
    // A person may know already.
    const accepted = acceptedUpTo(await audit.last());
    return found.filter(({ number }) => number > accepted);
  }

  #refuse(missing: readonly MissingHead[]): void {
    const details = missing.map(
      ({ from, number }) => `${from} knows entry ${number}, which is another one here or not there`,
    );
    const what = 'the audit log was cut, changed, or is an older copy';
    if (neverStopped.has(this.#operation)) return this.#loud(`${what}: ${details.join('; ')}`);
    throw new LockageError(what, {
      details,
      hint: 'Run `lockage audit verify`, and put the log back from a copy; `lockage audit accept --reason TEXT` goes on without what is missing.',
    });
  }

  /** Returns the open intents of processes of this computer that are gone. */
  async #endedIntents(last: AuditLine | undefined): Promise<ReadonlySet<number>> {
    const { audit } = this.#context;
    const open = last?.entry.open ?? [];
    const ended = await Promise.all(
      open.map(async ({ number, process }) => ((await audit.hasEnded(process)) ? [number] : [])),
    );
    return new Set(ended.flat());
  }

  #loud(text: string): void {
    this.#context.terminal.note(`AUDIT: ${text}`);
  }
}

/** Whoever meets this in the middle of its work must not take it for a failure of its own: nothing has begun. */
function notStarted(error: unknown): unknown {
  if (!(error instanceof LockageError)) return error;
  const { message, details, hint } = error;
  return new NotStartedError(message, { details, hint, cause: error });
}

/** Returns a value with its texts as a terminal may show them: what is kept is shown and exported as it is. */
function plain<T>(value: T): T {
  if (typeof value === 'string') return printable(value.replaceAll(/\s*\n\s*/g, ' ')) as T;
  if (Array.isArray(value)) return value.map(plain) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, plain(member)])) as T;
}

/** Characters of an error that are kept. */
const longestError = 2000;
/** Open intents that an entry has at most: older ones count as abandoned, so that no entry grows without end. */
const mostOpen = 200;
/** Milliseconds that a rollback waits for the log before it moves traffic. */
const mostBefore = 250;
/** The same for its intent, after it moved. */
const mostAfter = 10_000;
