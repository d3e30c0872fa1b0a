/**
 * The time since it was made, by the clocks of this computer. The one that only goes forward stands still while the computer
 * sleeps, and the one on the wall can be set: what counts is the longer of both.
 */
export class Elapsed {
  readonly #wall = Date.now();
  readonly #running = performance.now();

  milliseconds(): number {
    return Math.max(Date.now() - this.#wall, performance.now() - this.#running);
  }
}
