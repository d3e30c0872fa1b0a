import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import type { Progress } from '../../infra/context/provider-context.ts';
import { failpoint } from '../../infra/system/failpoint.ts';
import { InterruptedError, LockageError, messageOf } from '../../pipelines/errors.ts';
import type { Inventory } from '../../pipelines/model/inventory.ts';
import type { Plan } from '../../pipelines/model/plan.ts';
import type { Terminal } from '../../pipelines/operations/ports/operator.ts';
import type { Adoption } from '../../pipelines/planning/plan-adoption.ts';
import type { StoredThing } from '../../pipelines/planning/plan-pruning.ts';
import { colors } from '../tools/colors.ts';
import type { Redactor } from '../tools/redactor.ts';
import { bytesText, durationText, elapsedText } from '../tools/format.ts';
import { isCommanded, visible, visibleJson } from '../tools/visible.ts';
import { ExitCode, exitCodeOf } from './exit-codes.ts';
import { adoptionLines } from './views/adoption.ts';
import { inventoryLines } from './views/inventory.ts';
import { planLines } from './views/plan.ts';
import { thingLines } from './views/pruning.ts';

export interface TerminalOptions {
  /** one JSON document and nothing else on stdout */
  readonly json: boolean;
  /** do not ask */
  readonly yes: boolean;
  /** masks secrets in everything that is printed */
  readonly redactor: Redactor;
  /** ends a question that nobody answers */
  readonly signal?: AbortSignal;
}

/** Milliseconds between two lines of somebody who waits, where no line can be redrawn. */
const waitingEvery = 30_000;

/** Prints a line that belongs to no open project: of `init`, or an interruption. */
export function print(text: string, stream: 'stdout' | 'stderr'): void {
  process[stream].write(`${shown(text)}\n`);
}

/** Returns an error as `--json` has it. */
export function errorJson(error: LockageError) {
  const { message, details, hint } = error;
  return { message, code: exitCodeOf(error), details, hint };
}

/** Sets all lines of a text in but the first: what somebody else wrote cannot begin a line as Lockage begins its own. */
function setIn(text: string): string {
  return text.replaceAll('\n', '\n       ');
}

function shown(text: string): string {
  return visible(text, { coloured: colors.isColorSupported, commanded: isCommanded(process.env) });
}

/**
 * A terminal that everything printed passes through. Progress goes to stderr, results to stdout, so that both can be
 * used in a pipe. On a terminal the running pulls are one line that is redrawn; elsewhere there are only whole lines.
 */
export class ConsoleTerminal implements Terminal {
  readonly #options: TerminalOptions;
  readonly #live = process.stderr.isTTY && !process.env['CI'];
  readonly #pulls = new Map<string, Map<string, { current: number; total: number }>>();
  #started = performance.now();
  #liveText = '';
  #lastDraw = 0;
  #lastWaiting = -Infinity;
  #bytesMoved = 0;
  #soFar: object = {};

  constructor(options: TerminalOptions) {
    this.#options = options;
  }

  get asks(): boolean {
    return !this.#options.yes;
  }

  /** Returns the bytes of images that hosts got during this command. */
  get bytesMoved(): number {
    return this.#bytesMoved;
  }

  step(name: string, detail = ''): void {
    this.#line(`${this.#elapsed()}  ${colors.bold(name.padEnd(11))} ${colors.dim(detail)}`);
    failpoint(`at:${name}`);
  }

  note(text: string): void {
    this.#line(`${this.#elapsed()}  ${text}`);
  }

  waiting(text: string): void {
    if (this.#live) return this.#show(text);
    if (performance.now() - this.#lastWaiting < waitingEvery) return;
    this.#lastWaiting = performance.now();
    this.note(text);
  }

  /** Prints a line of a program that runs for us; dim, and only on a terminal or in a CI log. */
  detail(text: string): void {
    this.#line(`           ${colors.dim(text)}`);
  }

  plan(plan: Plan): void {
    for (const line of planLines(plan)) this.#line(line);
  }

  adoption(adoption: Adoption): void {
    for (const line of adoptionLines(adoption)) this.#line(line);
  }

  inventory(found: readonly Inventory[], withData: boolean): void {
    for (const line of inventoryLines(found, withData)) this.line(line, 'stderr');
  }

  pruning(things: readonly StoredThing[]): void {
    for (const line of thingLines(things)) this.line(line, 'stderr');
  }

  machines(names: readonly string[]): void {
    for (const name of names) this.line(`  - machine ${name}, with all that is on it`, 'stderr');
  }

  host(event: Progress): void {
    if (event.layer) {
      const layers = this.#pulls.get(event.host) ?? new Map<string, { current: number; total: number }>();
      this.#pulls.set(event.host, layers.set(event.layer.id, event.layer));
      this.#draw();
      return;
    }
    if (event.step === 'pulled' || event.step === 'copied') this.#pulls.delete(event.host);
    if (event.step === 'pulled') this.#bytesMoved += event.bytes ?? 0;
    const moved = event.bytes === 0 ? 'present' : event.bytes === undefined ? '' : bytesText(event.bytes);
    const took = event.took === undefined ? '' : ` after ${durationText(event.took)}`;
    this.#line(
      `${this.#elapsed()}    ${event.host.padEnd(10)} ${event.step.padEnd(12)} ${colors.dim([event.detail, moved].filter(Boolean).join(' ') + took)}`,
    );
    failpoint(`at:${event.step}`);
  }

  async confirm(question: string): Promise<void> {
    if (this.asks) await this.ask(question);
  }

  /** Asks as `confirm` does, for questions that `--yes` does not answer. */
  async ask(question: string, hint = 'Run it on a terminal, or say --yes.'): Promise<void> {
    if (!process.stdin.isTTY || !process.stderr.isTTY) {
      throw new LockageError('confirmation is needed, and this is not a terminal', {
        hint,
      });
    }
    this.#clear();
    const reader = createInterface({ input: process.stdin, output: process.stderr });
    const { signal } = this.#options;
    const answer = await reader
      .question(`${this.#shown(question)} ${colors.dim('[y/N]')} `, signal ? { signal } : {})
      .catch((cause: unknown) => {
        // The reader takes the keys: Ctrl-C and Ctrl-D come here, and are no signal.
        throw signal?.aborted ? signal.reason : new InterruptedError('not confirmed: nothing was changed', { cause });
      })
      .finally(() => reader.close());
    if (!/^y(es)?$/i.test(answer.trim())) {
      throw new LockageError('not confirmed: nothing was changed');
    }
    this.#started = performance.now();
  }

  /**
   * Asks for a value that is not shown while it is typed. Undefined where nobody types one, or can be asked. Throws
   * InterruptedError.
   */
  async secret(question: string): Promise<string | undefined> {
    if (!this.asks || !process.stdin.isTTY || !process.stderr.isTTY) return undefined;
    this.#clear();
    process.stderr.write(`${this.#shown(question)}: `);
    const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
    const reader = createInterface({ input: process.stdin, output: silent, terminal: true });
    const { signal, redactor } = this.#options;
    const typed = await reader
      .question('', signal ? { signal } : {})
      .catch((cause: unknown) => {
        throw signal?.aborted ? signal.reason : new InterruptedError('not answered: nothing was changed', { cause });
      })
      .finally(() => {
        reader.close();
        process.stderr.write('\n');
      });
    redactor.add([typed]);
    return typed === '' ? undefined : typed;
  }

  /** Prints the result of a command: lines for people, or one JSON document. */
  result(value: unknown, lines: readonly string[]): void {
    this.#clear();
    const text = this.#options.json ? this.#json(value, 2) : this.#shownLines(lines);
    if (text !== '') process.stdout.write(`${text}\n`);
  }

  /** Prints a line of a stream, such as a log. */
  line(text: string, stream: 'stdout' | 'stderr' = 'stdout'): void {
    process[stream].write(`${this.#shown(text)}\n`);
  }

  /** Keeps what a command of several parts has done: an error of a later part has it beside, with `--json`. */
  soFar(value: object): void {
    this.#soFar = value;
  }

  /** Prints one of many JSON documents, on a line of its own. */
  entry(value: unknown): void {
    process.stdout.write(`${this.#json(value)}\n`);
  }

  error(error: LockageError): void {
    this.#clear();
    const { message, details, hint } = error;
    if (this.#options.json) this.result({ ...this.#soFar, error: errorJson(error) }, []);
    const lines = [
      `${colors.red('error')}  ${message}`,
      ...details.map((detail) => `       ${detail}`),
      ...(hint ? [`${colors.cyan('help')}   ${hint}`] : []),
    ];
    process.stderr.write(`${this.#shownLines(lines)}\n`);
  }

  /** Prints what was thrown and is no error that a user can act on, with its stack. */
  bug(error: unknown): void {
    this.#clear();
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    if (this.#options.json)
      this.result({ ...this.#soFar, error: { message: messageOf(error), code: ExitCode.bug, details: [] } }, []);
    process.stderr.write(`${this.#shown(text)}\nThis is a bug of Lockage. Please report it with the lines above.\n`);
  }

  #shown(text: string): string {
    return shown(setIn(this.#options.redactor.redact(text)));
  }

  #shownLines(lines: readonly string[]): string {
    return lines.map((line) => this.#shown(line)).join('\n');
  }

  #json(value: unknown, indent?: number): string {
    const document = JSON.stringify(this.#options.redactor.redactTexts(value), undefined, indent);
    return visibleJson(document, { commanded: isCommanded(process.env) });
  }

  #elapsed(): string {
    return colors.dim(elapsedText(performance.now() - this.#started).padStart(7));
  }

  #line(text: string): void {
    this.#clear();
    process.stderr.write(`${this.#shown(text.trimEnd())}\n`);
    this.#redraw();
  }

  #draw(): void {
    if (!this.#live || performance.now() - this.#lastDraw < 100) return;
    this.#lastDraw = performance.now();
    const hosts = [...this.#pulls].map(([host, layers]) => {
      const all = [...layers.values()];
      const current = all.reduce((sum, layer) => sum + layer.current, 0);
      const total = all.reduce((sum, layer) => sum + layer.total, 0);
      return `${host} ${bytesText(current)}/${bytesText(total)}`;
    });
    this.#show(`  ${hosts.join('  ')}`);
  }

  #show(text: string): void {
    this.#clear();
    const line = this.#shown(`${this.#elapsed()}  ${text}`);
    this.#liveText = line.slice(0, process.stderr.columns || 80);
    process.stderr.write(this.#liveText);
  }

  #clear(): void {
    if (this.#liveText !== '') process.stderr.write('\r\u001B[2K');
  }

  #redraw(): void {
    if (this.#pulls.size === 0) this.#liveText = '';
    if (this.#liveText !== '') process.stderr.write(this.#liveText);
  }
}
