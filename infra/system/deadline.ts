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
