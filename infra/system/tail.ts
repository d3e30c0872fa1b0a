/** Chunks that are kept apart: each one costs more than its bytes, and may hold a larger buffer alive. */
const mostChunks = 1024;

/** The last bytes of a stream: however much it sends, no more than twice the limit is kept. */
export class Tail {
  readonly #limit: number;
  #chunks: Buffer[] = [];
  #kept = 0;
  #seen = 0;

  /** `limit`: bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether more came than is kept. */
  get truncated(): boolean {
    return this.#seen > this.#limit;
  }

  push(data: Buffer): void {
    this.#chunks.push(data);
    this.#kept += data.length;
    this.#seen += data.length;
    if (this.#kept > this.#limit * 2 || this.#chunks.length > mostChunks) this.#compact();
  }

  /** Returns the last bytes, as many as the limit allows. */
  bytes(): Buffer {
    this.#compact();
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  text(encoding: 'utf8' | 'latin1' = 'utf8'): string {
    return this.bytes().toString(encoding);
  }

  #compact(): void {
    const all = Buffer.concat(this.#chunks);
    // A copy: a part of a buffer keeps all of it.
    this.#chunks = [all.length > this.#limit ? Buffer.from(all.subarray(-this.#limit)) : all];
    this.#kept = this.#chunks[0]?.length ?? 0;
  }
}
