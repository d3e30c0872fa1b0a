import type { Engine, OutputLine } from '../docker/api/client.ts';
import { shortened } from '../../pipelines/text/shortened.ts';

/** Bytes that are read of an output, whatever it sends. */
const mostBytes = 64 * 1024;
/** Lines that explain a failure. */
const mostLines = 10;
/** Characters that are kept of a line. */
const longestLine = 2000;

/** Returns the last lines of a container that failed: none where they cannot be read, as they must not hide the failure. */
export async function lastLogLines(engine: Engine, name: string, mask?: (text: string) => string): Promise<string[]> {
  const output = engine.logs(name, { tail: mostLines, signal: AbortSignal.timeout(5000) });
  return lastLinesOf(output, mostLines, mask).catch(() => []);
}

/**
 * Returns the last lines of an output that ends; of one that floods, the last of those that were read. `mask` hides secrets before a
 * line is cut: nobody knows a part of one afterwards.
 */
export async function lastLinesOf(
  output: AsyncIterable<OutputLine>,
  count: number,
  mask: (text: string) => string = (text) => text,
): Promise<string[]> {
  const lines: string[] = [];
  let bytes = 0;
  for await (const { line } of output) {
    lines.push(shortened(mask(line), longestLine));
    if (lines.length > count) lines.shift();
    bytes += line.length + 1;
    if (bytes > mostBytes) break;
  }
  return lines;
}
