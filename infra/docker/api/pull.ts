import type { IncomingMessage } from 'node:http';
import { messageOf } from '../../../pipelines/errors.ts';
import { printable } from '../../../pipelines/text/printable.ts';
import { maybe, number, record, text } from '../../system/shapes.ts';
import { EngineError } from './errors.ts';
import { LineReader } from './frames.ts';
import { PullCourse, type LayerMessage } from './pull-course.ts';
import type { PullProgress } from './types.ts';

interface PullMessage extends LayerMessage {
  readonly error?: string;
  readonly errorDetail?: { readonly message?: string };
}

const messages = record({
  ...{ id: maybe(text), status: maybe(text), error: maybe(text), errorDetail: maybe(record({ message: maybe(text) })) },
  progressDetail: maybe(record({ current: maybe(number), total: maybe(number), units: maybe(text) })),
});

/**
 * Reads the answer of a pull to its end and returns the bytes moved: what was downloaded of layers the host lacked. An
 * engine reports most failures inside this stream, behind the status 200. Throws EngineError for such a failure, for a
 * stream that breaks, and for one in which no layer gets further for `idleTimeout` milliseconds.
 */
export async function readPull(
  host: string,
  what: string,
  response: IncomingMessage,
  options: { idleTimeout: number; onProgress?: ((progress: PullProgress) => void) | undefined },
): Promise<number> {
  const course = new PullCourse();
  const lines = new LineReader();
  let stalled = false;
  const watch = setTimeout(() => {
    stalled = true;
    response.destroy();
  }, options.idleTimeout);

  const take = (line: string) => {
    const message = parseMessage(line);
    const failure = failureOf(message);
    if (failure !== undefined) throw new EngineError(host, what, failure);
    const progress = course.take(message);
    if (!progress) return;
    watch.refresh();
    options.onProgress?.(progress);
  };

  try {
    for await (const chunk of response as AsyncIterable<Buffer>) for (const line of lines.read(chunk)) take(line);
    for (const line of lines.end()) take(line);
  } catch (error) {
    if (error instanceof EngineError) throw error;
    if (!stalled) {
      throw new EngineError(host, what, `the connection to the Docker Engine broke: ${messageOf(error)}`, {
        cause: error,
      });
    }
  } finally {
    clearTimeout(watch);
    response.destroy();
  }
  if (stalled) throw stalledError(host, what, options.idleTimeout, course);
  return course.bytes;
}

/** Returns the failure that an engine reports behind the status 200, in a line of its answer; undefined where there is none. */
export function failureIn(body: Buffer): string | undefined {
  const lines = new LineReader();
  const failures = [...lines.read(body), ...lines.end()].map((line) => failureOf(parseMessage(line)));
  return failures.find((failure) => failure !== undefined);
}

function failureOf({ errorDetail, error }: PullMessage): string | undefined {
  return errorDetail?.message ?? error;
}

function stalledError(host: string, what: string, idleTimeout: number, course: PullCourse): EngineError {
  return new EngineError(host, what, `no progress for ${idleTimeout / 1000} s (${course.text()})`, {
    hint: `Check the way between ${host} and the registry, then run the same command again.`,
  });
}

function parseMessage(line: string): PullMessage {
  if (line.trim() === '') return {};
  let found: unknown;
  try {
    // Nothing is as good as what is not there.
    found = JSON.parse(line, (_key, value: unknown) => value ?? undefined);
  } catch {
    return { error: `an answer that is not JSON: ${printable(line.slice(0, 200))}` };
  }
  try {
    return messages(found, 'it') as PullMessage;
  } catch {
    return { error: `an answer that is not a Docker Engine's: ${printable(line.slice(0, 200))}` };
  }
}
