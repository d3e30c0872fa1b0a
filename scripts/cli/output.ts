/** The standard output and error of this process: readers that go away, and disks that are full. */
import { systemError } from '../../infra/system/system-error.ts';
import { messageOf, PartialError } from '../../pipelines/errors.ts';
import { ExitCode } from './exit-codes.ts';

const streams = [process.stdout, process.stderr];
/** What a file says that cannot be written. Anything else is a reader's end, as that of `lockage status | head`. */
const full: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO']);

let lost: Error | undefined;

/** Lets no reader that goes away, and no full disk, end an operation half-way. */
export function watchOutput(): void {
  for (const stream of streams) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (full.has(error.code ?? '') && stream === process.stdout) lost ??= error;
    });
  }
}

/** Waits until all that was printed is written. Returns the exit code: what was asked for is not there where it could not be. */
export async function flushed(code: number | string | null | undefined): Promise<typeof code> {
  // What a pipe has not taken yet would be lost.
  await Promise.all(streams.map((stream) => new Promise<void>((resolve) => stream.write('', () => resolve()))));
  if (!lost || Number(code ?? ExitCode.ok) !== ExitCode.ok) return code;
  const [{ reportError }, why] = [await import('./report-error.ts'), systemError(lost)?.message ?? messageOf(lost)];
  return reportError(new PartialError(`the output is not whole: ${why}`, { cause: lost }), false);
}
