/** Milliseconds a call may take unless its caller says otherwise. */
export const defaultDeadline = 30_000;

/** The call's deadline and its caller's signal in one signal, which keeps nothing alive once released. */
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
