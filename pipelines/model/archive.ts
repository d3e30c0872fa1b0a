import type { Digest } from './release.ts';
import type { Ledger } from './revision.ts';

/** The bundle that an archived environment can be reproduced from. */
export interface ArchiveFile {
  /** path from the project's folder, or an absolute one where it lies elsewhere */
  readonly file: string;
  /** of the whole file, in hex digits */
  readonly sha256: string;
  readonly bytes: number;
}

/** A retired environment: it runs nothing, and this is all that is recorded of it. */
export interface Archive extends ArchiveFile {
  readonly environment: string;
  /** ISO 8601 */
  readonly since: string;
  /** `user@machine` */
  readonly actor: string;
  /** what it ran, and what the file has */
  readonly version: string;
  readonly digest: Digest;
  readonly revision: number;
  /** its ledger, with the end of that revision */
  readonly ledger: Ledger;
  /** nothing of it is on its hosts any more, but data that was to stay; absent: its removal has begun, and no more is known */
  readonly removed?: true;
}

/** An archive as it is shown. */
export type ArchiveSummary = Omit<Archive, 'ledger'>;

/** Returns the archive of an environment. */
export function archiveOf(archives: readonly Archive[], environment: string): Archive | undefined {
  return archives.find((archive) => archive.environment === environment);
}

/** Returns the archives with this one, in place of an earlier one of its environment. */
export function withArchive(archives: readonly Archive[], added: Archive): readonly Archive[] {
  return [...withoutArchive(archives, added.environment), added];
}

/** Returns the archives without that of an environment; the very same list where there is none. */
export function withoutArchive(archives: readonly Archive[], environment: string): readonly Archive[] {
  return archiveOf(archives, environment)
    ? archives.filter((archive) => archive.environment !== environment)
    : archives;
}

/** Returns the archives where one is known to be removed from its hosts; the very same list where another one took its place. */
export function withRemoved(archives: readonly Archive[], { environment, since }: Archive): readonly Archive[] {
  const isIt = (archive: Archive) => archive.environment === environment && archive.since === since;
  return archives.some(isIt)
    ? archives.map((archive): Archive => (isIt(archive) ? { ...archive, removed: true } : archive))
    : archives;
}
