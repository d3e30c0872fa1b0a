/** Bytes that have to come within the time of an idle pull while it downloads. */
const leastBytes = 64 * 1024;
/** How many times longer a layer may be unpacked, which says little of how far it is. */
const longestUnpacking = 15;

interface PullEvent {
  readonly id?: string | undefined;
  readonly status?: string | undefined;
  readonly current?: number | undefined;
}

/**
 * A judge of how a pull goes on: by what has come, and not by what is said of it. A registry that sends a byte a minute
 * keeps an engine talking for ever.
 */
export class PullJudge {
  readonly #bytes = new Map<string, number>();
  readonly #done = new Set<string>();
  #unpacks = false;
  #before = { bytes: 0, done: 0 };
  #unpacking = 0;

  take({ id, status, current }: PullEvent): void {
    if (id === undefined || status === undefined) return;
    if (status === 'Downloading' && current !== undefined)
      this.#bytes.set(id, Math.max(this.#bytes.get(id) ?? 0, current));
    if (/^(Download complete|Pull complete|Already exists|Verifying Checksum)$/.test(status))
      this.#done.add(`${id} ${status}`);
    if (status === 'Extracting') this.#unpacks = true;
  }

  /** Returns whether enough has come since it was asked last, at the end of each time of an idle pull. */
  goesOn(): boolean {
    const bytes = [...this.#bytes.values()].reduce((sum, each) => sum + each, 0);
    const moved = bytes - this.#before.bytes >= leastBytes || this.#done.size > this.#before.done;
    this.#before = { bytes, done: this.#done.size };
    this.#unpacking = moved ? 0 : this.#unpacking + 1;
    const unpacks = this.#unpacks;
    this.#unpacks = false;
    return moved || (unpacks && this.#unpacking <= longestUnpacking);
  }
}
