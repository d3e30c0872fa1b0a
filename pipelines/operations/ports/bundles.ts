import type { ArchiveFile } from '../../model/archive.ts';

/** Files that have a revision of an environment with all its images. */
export interface Bundles {
  /**
   * Writes what serves in an environment to a file, and reads all of it once more: as a whole or not at all. Throws
   * LockageError, also when that is another revision.
   */
  write(environment: string, revision: number, file: string): Promise<ArchiveFile>;
  /** Throws LockageError when a file is not there, or is not as it was written. */
  check(file: ArchiveFile): Promise<void>;
}
