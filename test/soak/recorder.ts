import { durationText } from '../../scripts/tools/format.ts';
import type { Call, Step, Wrong } from './journal.ts';

/** A step that is played. */
interface Current {
  readonly name: string;
  readonly kind: Step['kind'];
  readonly at: number;
  readonly began: number;
  readonly wrong: Wrong[];
}

/** The keeper of what was done, which says it a line at a time. */
export class Recorder {
  readonly steps: Step[] = [];
  readonly calls: Call[] = [];
  #current: Current | undefined;

  /** Begins a step. */
  begin(name: string, kind: Step['kind']): void {
    this.#current = { name, kind, at: Date.now(), began: performance.now(), wrong: [] };
  }

  /** Notes something that is not as it has to be. */
  wrong(wrong: Wrong): void {
    this.#current?.wrong.push(wrong);
  }

  /** Says what belongs to no step. */
  say(text: string): void {
    console.log(`          ${text}`);
  }

  /** Notes a command that was run. */
  called(call: Call): void {
    this.calls.push(call);
  }

  /** Ends the step, and says how it went; `failed` requests count as wrong already. */
  end(failed: number): void {
    const current = this.#current;
    if (!current) return;
    this.#current = undefined;
    const { name, kind, at, wrong } = current;
    const step = { number: this.steps.length + 1, name, kind, at, ms: performance.now() - current.began, wrong };
    this.steps.push(step);
    for (const line of stepLines(step, failed)) console.log(line);
  }
}

/** Returns the line of a step, with one more for each thing that was wrong. */
export function stepLines({ number, name, kind, at, ms, wrong }: Step, failed: number): string[] {
  const good = wrong.length === 0 && failed === 0;
  const time = new Date(at).toISOString().slice(11, 19);
  const requests = failed > 0 ? [`${failed} requests failed`] : [];
  return [
    `${good ? '✓' : '✗'} ${String(number).padStart(4)}  ${time}  ${kind.padEnd(9)}  ${durationText(ms).padStart(12)}  ${name}`,
    ...[...wrong.map(({ text }) => text), ...requests].map((text) => `          ${text}`),
  ];
}
