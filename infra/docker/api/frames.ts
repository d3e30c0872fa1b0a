import { StringDecoder } from 'node:string_decoder';
import { defaultDeadline } from '../../system/deadline.ts';
import type { LogOptions, OutputLine, OutputStream } from './types.ts';

const headerLength = 8;
const maxLine = 1024 * 1024;

/**
 * A parser for the stream of a container without a terminal: frames with a header of eight bytes, of which the first
 * names the stream and the last four give the length. Chunks may be cut anywhere.
 */
export class FrameReader {
  #pending = Buffer.alloc(0);
  #left = 0;
  #stream: OutputStream = 'stdout';

  /** Returns the parts of frames that the chunk completes or continues, in order. */
  *read(chunk: Buffer): Generator<{ stream: OutputStream; data: Buffer }> {
    let rest = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    this.#pending = Buffer.alloc(0);
    while (rest.length > 0) {
      if (this.#left === 0) {
        if (rest.length < headerLength) {
          this.#pending = Buffer.from(rest);
          return;
        }
        this.#stream = rest[0] === 2 ? 'stderr' : 'stdout';
        this.#left = rest.readUInt32BE(4);
        rest = rest.subarray(headerLength);
        continue;
      }
      const data = rest.subarray(0, this.#left);
      this.#left -= data.length;
      rest = rest.subarray(data.length);
      yield { stream: this.#stream, data };
    }
  }
}

/**
 * A reader that turns UTF-8 bytes into lines. Chunks may be cut anywhere, even inside a character, and be of any size: what is kept of a
 * line that goes on is not looked at again, and a very long one comes in parts.
 */
export class LineReader {
  readonly #decoder = new StringDecoder('utf8');
  #pending = '';

  *read(data: Buffer): Generator<string> {
    const parts = this.#decoder.write(data).split('\n');
    parts[0] = this.#pending + (parts[0] ?? '');
    this.#pending = parts.pop() ?? '';
    for (const part of parts) yield withoutReturn(part);
    if (this.#pending.length > maxLine) {
      yield this.#pending;
      this.#pending = '';
    }
  }

  /** Returns the last line, if it had no line end. */
  *end(): Generator<string> {
    const rest = this.#pending + this.#decoder.end();
    this.#pending = '';
    if (rest !== '') yield withoutReturn(rest);
  }
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}

/** Yields the lines of a container's output. `raw`: the container has a terminal, so its output has no frames. */
export async function* outputLines(chunks: AsyncIterable<Buffer>, raw: boolean): AsyncGenerator<OutputLine> {
  const frames = new FrameReader();
  const readers = { stdout: new LineReader(), stderr: new LineReader() };
  for await (const chunk of chunks) {
    for (const { stream, data } of raw ? [{ stream: 'stdout' as const, data: chunk }] : frames.read(chunk)) {
      for (const line of readers[stream].read(data)) yield { stream, line };
    }
  }
  for (const stream of ['stdout', 'stderr'] as const) {
    for (const line of readers[stream].end()) yield { stream, line };
  }
}

/** Returns the milliseconds that nothing may come of an output; undefined where it is followed, and may rest. */
export function silenceOf({ follow = false, silence = defaultDeadline }: LogOptions): number | undefined {
  return follow ? undefined : silence;
}
