import { setMaxListeners } from 'node:events';
import { InterruptedError } from '../../pipelines/errors.ts';

/** The handlers of requests to stop a command. */
export interface InterruptHandlers {
  /** the first wish: the operation goes on to its next safe point */
  readonly onFirst: () => void;
  /** a person insists: it must end at once */
  readonly onSecond: () => void;
}

type Signal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

/** Milliseconds within which signals are one key press: a terminal, npm and a shell may each pass it on. */
const sameWish = 1000;

/** Returns a signal that aborts at the first SIGINT, SIGTERM or SIGHUP. */
export function interruptSignal(handlers: InterruptHandlers): AbortSignal {
  const controller = new AbortController();
  // Every host of every step listens to it; that is not a leak.
  setMaxListeners(0, controller.signal);
  const wish = new StopWish(() => performance.now());
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      const meaning = wish.meaningOf(name);
      if (meaning === 'stop') {
        handlers.onFirst();
        controller.abort(new InterruptedError('interrupted'));
      }
      if (meaning === 'end at once') handlers.onSecond();
    });
  }
  return controller.signal;
}

/**
 * Returns a signal for when a reader ends what goes on for ever: by a signal, or by closing the pipe. Both are the usual way
 * out.
 */
export function quietEnd(): AbortSignal {
  const ended = new AbortController();
  // Everything that is read listens to it.
  setMaxListeners(0, ended.signal);
  const end = () => ended.abort();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, end);
  process.stdout.once('error', end);
  return ended.signal;
}

/**
 * A wish to stop, told from the first one heard again. A CI sends SIGINT, then SIGTERM some seconds later, and means
 * one thing; a person who presses Ctrl-C again after a second means another.
 */
export class StopWish {
  readonly #now: () => number;
  #first: { readonly name: Signal; readonly at: number } | undefined;

  /** `now` returns milliseconds of a clock that only goes forward. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Returns what one more signal means. */
  meaningOf(name: Signal): 'stop' | 'nothing new' | 'end at once' {
    if (!this.#first) {
      this.#first = { name, at: this.#now() };
      return 'stop';
    }
    const insists = name === 'SIGINT' || name === this.#first.name;
    return insists && this.#now() - this.#first.at >= sameWish ? 'end at once' : 'nothing new';
  }
}
