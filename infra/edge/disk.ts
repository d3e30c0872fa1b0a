import type { Disk } from '../../pipelines/hosts/disk.ts';
import type { CallOptions, Engine } from '../docker/api/client.ts';

/**
 * Returns the disk that holds the engine's data, seen from within an environment's edge, whose volume lies there; undefined
 * where no edge runs, or it does not tell.
 */
export async function diskOfEngine(engine: Engine, edge: string, options: CallOptions = {}): Promise<Disk | undefined> {
  const found = await engine.exec(edge, ['df', '-k', '-P', '/live'], options).catch(() => undefined);
  return found?.code === 0 ? diskOf(found.stdout) : undefined;
}

/** Reads the file system from the output of `df -k -P`. */
export function diskOf(df: string): Disk | undefined {
  const [, total, free] = /\s(\d+)\s+\d+\s+(\d+)\s+\d+%\s+\/\S*\s*$/.exec(df) ?? [];
  return total === undefined || free === undefined
    ? undefined
    : { free: Number(free) * 1024, total: Number(total) * 1024 };
}
