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
  readonly #ready: Fork[] = [];
  readonly #waiting: Waiting[] = [];
  readonly #busy = new Set<Promise<void>>();
  #filling: { readonly resolve: () => void; readonly reject: (error: unknown) => void } | undefined;
  #starting = 0;
  #failures = 0;
  #closed = false;

  /** `size`: copies that are kept ready; `atOnce`: how many are made at a time. */
  constructor(source: CopySource, size: number, atOnce: number) {
    this.#source = source;
    this.#size = size;
    this.#atOnce = atOnce;
  }

  /** Makes the first copies, and resolves once all of them are ready. Throws LockageError when none can be made. */
  async fill(): Promise<void> {
    if (this.#ready.length >= this.#size) return;
    await new Promise<void>((resolve, reject) => {
      this.#filling = { resolve, reject };
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
    for (const { reject } of this.#waiting.splice(0)) reject(new Error('the databases are gone'));
    await Promise.all(this.#busy);
  }

  #refill(): void {
    if (this.#closed) return;
    const [ready, starting, waiting] = [this.#ready.length, this.#starting, this.#waiting.length];
    const count = copiesToStart({ ready, starting, waiting, size: this.#size, atOnce: this.#atOnce });
    for (let index = 0; index < count; index += 1) this.#work(this.#make());
  }

  async #make(): Promise<void> {
    this.#starting += 1;
    try {
      const copy = await this.#source.make();
      this.#failures = 0;
      const next = this.#waiting.shift();
      if (next) next.resolve(copy);
      else this.#ready.push(copy);
      if (this.#ready.length >= this.#size) this.#filling?.resolve();
    } catch (error) {
      this.#failures += 1;
      // Who asks next tries again.
      if (this.#failures >= mostFailures) return this.#tell(error);
    } finally {
      this.#starting -= 1;
    }
    this.#refill();
  }

  #tell(error: unknown): void {
    this.#failures = 0;
    this.#filling?.reject(error);
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  #work(work: Promise<void>): void {
    this.#busy.add(work);
    void work.finally(() => this.#busy.delete(work));
  }
}
