import { LockageError } from '../../pipelines/errors.ts';
import type { Disk } from '../../pipelines/hosts/disk.ts';
import type { Engine } from '../docker/api/client.ts';
import { diskOf } from '../edge/disk.ts';

/** The space that has to stay free beside a copy of the data: part of the disk, and no more bytes than that. */
const reserve = { part: 0.05, bytes: 1e9 };

/** Milliseconds for looking at every file of the data. */
const deadline = 5 * 60_000;

/** The data of a container, below these folders, which are volumes. */
interface Data {
  readonly container: string;
  readonly folders: readonly string[];
}

/**
 * Throws LockageError where one more copy of an accessory's data would fill the disk that it has itself: a database without room for its
 * next write stops. An image without `du` and `df` tells nothing, and is not asked for more.
 */
export async function refuseWithoutRoom(engine: Engine, data: Data, signal: AbortSignal): Promise<void> {
  const [folder] = data.folders;
  if (folder === undefined) return;
  const said = async (...argv: string[]) => {
    const asked = engine.exec(data.container, argv, { signal, deadline });
    const result = await asked.catch((error: unknown) => {
      if (signal.aborted) throw error;
      return undefined;
    });
    return result?.stdout ?? '';
  };
  const disk = diskOf(await said('df', '-k', '-P', folder));
  const bytes = sizeOf(await said('du', '-s', '-k', '--', ...data.folders));
  if (!disk || isEnough(disk, bytes)) return;
  throw new LockageError(
    `${engine.host}: a backup cannot be proven there: a copy of the data takes ${gigabytes(bytes)}, and ${gigabytes(disk.free)} are free`,
    { hint: 'Nothing was written. `--no-test` leaves the proof out; `lockage prune` makes room.' },
  );
}

function isEnough({ free, total }: Disk, bytes: number): boolean {
  return free - bytes >= Math.min(total * reserve.part, reserve.bytes);
}

/** Adds up what `du -s -k` says of folders, in bytes. */
function sizeOf(du: string): number {
  return du.split('\n').reduce((sum, line) => sum + (Number(/^\d+(?=\s)/.exec(line)?.[0]) || 0) * 1024, 0);
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
