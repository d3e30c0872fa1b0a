import { copiesToStart } from '../../pipelines/databases/pool.ts';
import type { CopySource, Fork } from './copies.ts';

interface Waiting {
  readonly resolve: (copy: Fork) => void;
  readonly reject: (error: unknown) => void;
}

/** How many copies in a row may fail before those who wait are told. */
const mostFailures = 3;

/** How many copies a pool has. */
export interface PoolSizes {
  /** made before the first is taken */
  readonly first: number;
  /** kept ready from then on, besides those that come back */
  readonly spare: number;
  /** made, or made pristine again, at a time */
  readonly atOnce: number;
}

/**
 * Copies that are made before they are asked for. One that was given back is taken away, or made pristine again where its source can:
 * its data and its password are nobody else's then either.
 */
export class CopyPool {
  readonly #source: CopySource;
  readonly #sizes: PoolSizes;
  readonly #signal: AbortSignal;
  readonly #ready: Fork[] = [];
  readonly #waiting: Waiting[] = [];
  /** given back, and not begun to be made pristine */
  readonly #used: Fork[] = [];
  readonly #busy = new Set<Promise<void>>();
  #filling: { readonly resolve: () => void; readonly reject: (error: unknown) => void } | undefined;
  #starting = 0;
  #taken = 0;
  #failures = 0;
  /** those who waited were told that none can be made: nothing is tried until somebody asks again */
  #isDown = false;
  #closed = false;

  /** No copy is begun after the signal. */
  constructor(source: CopySource, sizes: PoolSizes, signal: AbortSignal) {
    this.#source = source;
    this.#sizes = sizes;
    this.#signal = signal;
  }

  /** Makes the first copies, and resolves once all of them are ready. Throws LockageError when none can be made. */
  async fill(): Promise<void> {
    if (this.#ready.length >= this.#sizes.first) return;
    await new Promise<void>((resolve, reject) => {
      this.#filling = { resolve, reject };
      this.#isDown = false;
      this.#refill();
    });
  }

  /** Returns a copy that nobody had before: at once where one is ready. Throws LockageError when none can be made. */
  take(): Promise<Fork> {
    const copy = this.#ready.shift();
    if (copy) this.#taken += 1;
    const taken =
      copy === undefined
        ? new Promise<Fork>((resolve, reject) => this.#waiting.push({ resolve, reject }))
        : Promise.resolve(copy);
    this.#isDown = false;
    this.#refill();
    return taken;
  }

  /** Takes a copy back: what is in it is gone for whoever had it. */
  give(copy: Fork): void {
    this.#taken -= 1;
    if (this.#source.renew && this.#total < this.#most) {
      this.#used.push(copy);
      return this.#refill();
    }
    this.#drop(copy);
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
    while (this.#starting < this.#sizes.atOnce) {
      const used = this.#used.shift();
      if (!used) break;
      this.#work(this.#renew(used));
    }
    if (this.#isDown) return;
    const state = {
      ready: this.#ready.length,
      starting: this.#starting + this.#used.length,
      taken: this.#taken,
      waiting: this.#waiting.length,
      size: this.#filling ? this.#sizes.first : this.#sizes.spare,
      atOnce: this.#sizes.atOnce,
    };
    const count = copiesToStart(this.#source.renew ? { ...state, most: this.#most } : state);
    for (let index = 0; index < count; index += 1) this.#work(this.#make());
  }

  get #total(): number {
    return this.#ready.length + this.#starting + this.#used.length + this.#taken;
  }

  get #most(): number {
    return this.#sizes.first + this.#sizes.spare;
  }

  async #make(): Promise<void> {
    this.#starting += 1;
    try {
      const copy = await this.#source.make();
      this.#failures = 0;
      this.#isDown = false;
      this.#hand(copy);
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

  async #renew(used: Fork): Promise<void> {
    this.#starting += 1;
    try {
      const copy = await this.#source.renew?.(used);
      if (copy) this.#hand(copy);
    } catch {
      // Another one is made in its place.
      this.#drop(used);
    } finally {
      this.#starting -= 1;
    }
    this.#refill();
  }

  #hand(copy: Fork): void {
    const next = this.#waiting.shift();
    if (next) {
      this.#taken += 1;
      return next.resolve(copy);
    }
    this.#ready.push(copy);
    if (this.#ready.length < this.#sizes.first) return;
    this.#filling?.resolve();
    this.#filling = undefined;
  }

  #drop(copy: Fork): void {
    // What cannot be removed now goes with everything else at the end.
    this.#work(this.#source.drop(copy).catch(() => undefined));
  }

  #tell(error: unknown): void {
    this.#filling?.reject(error);
    this.#filling = undefined;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  #work(work: Promise<void>): void {
    this.#busy.add(work);
    void work.finally(() => this.#busy.delete(work));
  }
}
