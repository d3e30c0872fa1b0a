import { copiesToStart } from '../../pipelines/databases/pool.ts';
import type { CopySource, Fork } from './copies.ts';

interface Waiting {
  readonly resolve: (copy: Fork) => void;
  readonly reject: (error: unknown) => void;
}

/** How many copies in a row may fail before those who wait are told. */
const mostFailures = 3;

/** Copies that are made before they are asked for. One that was given back is taken away, and never given to another. */
export class CopyPool {
  readonly #source: CopySource;
  readonly #size: number;
  readonly #atOnce: number;
  readonly #signal: AbortSignal;
  readonly #ready: Fork[] = [];
  readonly #waiting: Waiting[] = [];
  readonly #busy = new Set<Promise<void>>();
  #filling: { readonly resolve: () => void; readonly reject: (error: unknown) => void } | undefined;
  #starting = 0;
  #failures = 0;
  /** those who waited were told that none can be made: nothing is tried until somebody asks again */
  #isDown = false;
  #closed = false;

  /** `size`: copies that are kept ready; `atOnce`: how many are made at a time; none is begun after the signal. */
  constructor(source: CopySource, size: number, atOnce: number, signal: AbortSignal) {
    this.#source = source;
    this.#size = size;
    this.#atOnce = atOnce;
    this.#signal = signal;
  }

  /** Makes the first copies, and resolves once all of them are ready. Throws LockageError when none can be made. */
  async fill(): Promise<void> {
    if (this.#ready.length >= this.#size) return;
    await new Promise<void>((resolve, reject) => {
      this.#filling = { resolve, reject };
      this.#isDown = false;
      this.#refill();
    });
  }

  /** Returns a copy that nobody had before: at once where one is ready. Throws LockageError when none can be made. */
  take(): Promise<Fork> {
    const copy = this.#ready.shift();
    const taken =
      copy === undefined
        ? new Promise<Fork>((resolve, reject) => this.#waiting.push({ resolve, reject }))
        : Promise.resolve(copy);
    this.#isDown = false;
    this.#refill();
    return taken;
  }

  /** Takes a copy away. */
  give(copy: Fork): void {
    // What cannot be removed now goes with everything else at the end.
    this.#work(this.#source.drop(copy).catch(() => undefined));
  }

  /** Stops making copies, and resolves when nothing is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#refill();
    await Promise.all(this.#busy);
  }

  #refill(): void {
    // Nobody is left waiting for what is not made any more.
    if (this.#closed) return this.#tell(new Error('the databases are gone'));
    if (this.#signal.aborted) return this.#tell(this.#signal.reason);
    if (this.#isDown) return;
    const [ready, starting, waiting] = [this.#ready.length, this.#starting, this.#waiting.length];
    const count = copiesToStart({ ready, starting, waiting, size: this.#size, atOnce: this.#atOnce });
    for (let index = 0; index < count; index += 1) this.#work(this.#make());
  }

  async #make(): Promise<void> {
    this.#starting += 1;
    try {
      const copy = await this.#source.make();
      this.#failures = 0;
      this.#isDown = false;
      const next = this.#waiting.shift();
      if (next) next.resolve(copy);
      else this.#ready.push(copy);
      if (this.#ready.length >= this.#size) this.#filling?.resolve();
    } catch (error) {
      this.#failures += 1;
      if (this.#failures >= mostFailures) {
        // Who asks next tries again; others that are under way may fail meanwhile, and begin nothing.
        this.#failures = 0;
        this.#isDown = true;
        return this.#tell(error);
      }
    } finally {
      this.#starting -= 1;
    }
    this.#refill();
  }

  #tell(error: unknown): void {
    this.#filling?.reject(error);
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  #work(work: Promise<void>): void {
    this.#busy.add(work);
    void work.finally(() => this.#busy.delete(work));
  }
}
