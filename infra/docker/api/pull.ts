import type { IncomingMessage } from 'node:http';
import { messageOf } from '../../../pipelines/errors.ts';
import { EngineError } from './errors.ts';
import { LineReader } from './frames.ts';
import type { PullProgress } from './types.ts';

interface PullMessage {
  readonly id?: string;
  readonly status?: string;
  readonly error?: string;
  readonly errorDetail?: { readonly message?: string };
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
}

/**
 * Reads the answer of a pull to its end and returns the bytes moved: what was downloaded of layers the host lacked. An
 * engine reports most failures inside this stream, behind the status 200. Throws EngineError for such a failure, for a
 * stream that breaks, and for one silent for `idleTimeout` milliseconds.
 */
export async function readPull(
  host: string,
  what: string,
  response: IncomingMessage,
  options: { idleTimeout: number; onProgress?: ((progress: PullProgress) => void) | undefined },
): Promise<number> {
  const moved = new Map<string, number>();
  const sizes = new Map<string, number>();
  const lines = new LineReader();
  let silent = false;
  const watch = setTimeout(() => {
    silent = true;
    response.destroy();
  }, options.idleTimeout);

  const take = (line: string) => {
    const message = parseMessage(line);
    const failure = message.errorDetail?.message ?? message.error;
    if (failure !== undefined) throw new EngineError(host, what, failure);
    if (message.id === undefined || message.status === undefined) return;
    const { current, total } = message.progressDetail ?? {};
    if (message.status === 'Downloading' && current !== undefined) {
      moved.set(message.id, Math.max(moved.get(message.id) ?? 0, current));
      if (total !== undefined) sizes.set(message.id, total);
    }
    // Progress is reported only a few times a second, so the last report may come long before the layer's end.
    const size = sizes.get(message.id);
    if (message.status === 'Download complete' && size !== undefined) moved.set(message.id, size);
    options.onProgress?.({ layer: message.id, status: message.status, current, total });
  };

  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      watch.refresh();
      for (const line of lines.read(chunk)) take(line);
    }
    for (const line of lines.end()) take(line);
  } catch (error) {
    if (error instanceof EngineError) throw error;
    if (silent) throw new EngineError(host, what, `no progress for ${options.idleTimeout / 1000} s`, { cause: error });
    const text = messageOf(error);
    throw new EngineError(host, what, `the connection to the Docker Engine broke: ${text}`, { cause: error });
  } finally {
    clearTimeout(watch);
    response.destroy();
  }
  if (silent) throw new EngineError(host, what, `no progress for ${options.idleTimeout / 1000} s`);
  return [...moved.values()].reduce((sum, bytes) => sum + bytes, 0);
}

function parseMessage(line: string): PullMessage {
  if (line.trim() === '') return {};
  try {
    return JSON.parse(line) as PullMessage;
  } catch {
    return { error: `an answer that is not JSON: ${line.slice(0, 200)}` };
  }
}
