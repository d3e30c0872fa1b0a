/** Milliseconds that a call may take by default. */
export const defaultDeadline = 30_000;

/** A signal that joins the call's deadline and its caller's signal, and keeps nothing alive once released. */
export class Deadline {
  passed = false;
  readonly #controller = new AbortController();
  readonly #given: AbortSignal | undefined;
  readonly #timer: NodeJS.Timeout;
  readonly #forward = () => this.#controller.abort(this.#given?.reason);

  constructor(call: { readonly deadline?: number; readonly signal?: AbortSignal | undefined }) {
    this.#given = call.signal;
    this.#timer = setTimeout(() => {
      this.passed = true;
      this.#controller.abort(new Error('deadline passed'));
    }, call.deadline ?? defaultDeadline);
    if (this.#given?.aborted) this.#forward();
    else this.#given?.addEventListener('abort', this.#forward, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  stopClock(): void {
    clearTimeout(this.#timer);
  }

  release(): void {
    this.stopClock();
    this.#given?.removeEventListener('abort', this.#forward);
  }
}

/**
 * Waits for work that others wait for too, no longer than this caller does. Throws what `late` makes of the milliseconds, or
 * the reason of the caller's signal.
 */
export async function within<T>(
  work: Promise<T>,
  call: ConstructorParameters<typeof Deadline>[0],
  late: (deadline: number) => Error,
): Promise<T> {
  const limit = new Deadline(call);
  const { signal } = limit;
  const over = new Promise<never>((_resolve, reject) => {
    const giveUp = () => reject(limit.passed ? late(call.deadline ?? defaultDeadline) : reasonOf(signal));
    if (signal.aborted) giveUp();
    else signal.addEventListener('abort', giveUp, { once: true });
  });
  try {
    return await Promise.race([work, over]);
  } finally {
    limit.release();
  }
}

/** Returns why a signal has aborted, as an error. */
export function reasonOf(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new Error(String(reason));
}
