import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../pipelines/errors.ts';

/** A step of set-up. Running it when nothing is left to do must be harmless. */
export interface Step {
  /** its title: `Pulumi CLI 3.256.0` */
  readonly name: string;
  /** why the project needs it, shown when the step has something to do */
  readonly why: string;
  /** returns a short description of what is there when nothing is to do, else undefined */
  ready(): Promise<string | undefined>;
  /** makes it ready and says how; `progress` takes lines worth seeing during a long step */
  run(progress: (line: string) => void): Promise<string>;
}

/** An error of a step, with what the person at the terminal can do about it. */
export class StepError extends Error {
  override readonly name = 'StepError';
  readonly todo: string;
  readonly detail: readonly string[];

  constructor(message: string, todo: string, detail: readonly string[] = []) {
    super(message);
    this.todo = todo;
    this.detail = detail;
  }
}

/** The output that set-up writes its lines to. */
export interface Output {
  line(text: string): void;
  /** true: steps that are already done are not mentioned */
  readonly quiet?: boolean;
}

/**
 * Runs the steps in order and stops at the first that fails. All steps are checked at once for what is already there,
 * so a ready machine passes at the speed of its slowest check; a step after one that had work to do is checked again.
 * Returns whether everything is in place.
 */
export async function runSteps(steps: readonly Step[], output: Output): Promise<boolean> {
  const asked = steps.map((step) => step.ready().catch(() => undefined));
  const width = Math.max(20, ...steps.map((step) => step.name.length));
  let changed = false;
  for (const [index, step] of steps.entries()) {
    const title = step.name.padEnd(width);
    const started = performance.now();
    try {
      const found = changed ? await step.ready() : await asked[index];
      if (found !== undefined) {
        if (!output.quiet) output.line(`✓ ${title}  ${found}`);
        continue;
      }
      output.line(`… ${title}  ${step.why}`);
      const how = await withSignsOfLife(step, output);
      changed = true;
      output.line(`✓ ${title}  ${how}  ${duration(performance.now() - started)}`);
    } catch (error) {
      reportFailure(step, error, output, duration(performance.now() - started));
      return false;
    }
  }
  return true;
}

/** Writes a duration: `0.4 s`, `36 s`, `3 min 36 s` */
export function duration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

// A build prints nothing for minutes; a line now and then shows that it is alive.
async function withSignsOfLife(step: Step, output: Output): Promise<string> {
  const started = performance.now();
  const done = new AbortController();
  const ticking = (async () => {
    for (;;) {
      await sleep(30_000, undefined, { signal: done.signal });
      output.line(`    still at it after ${duration(performance.now() - started)}`);
    }
  })().catch(() => undefined);
  try {
    return await step.run((line) => output.line(`    ${line}`));
  } finally {
    done.abort();
    await ticking;
  }
}

function reportFailure(step: Step, error: unknown, output: Output, took: string): void {
  output.line(`✗ ${step.name}  failed after ${took}`);
  output.line(`    ${messageOf(error)}`);
  if (!(error instanceof StepError)) return;
  for (const line of error.detail) output.line(`    | ${line}`);
  output.line(`  What to do: ${error.todo}`);
}
