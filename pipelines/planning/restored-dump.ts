import type { DataDump } from '../model/revision.ts';

/** A file with the data of an accessory. */
export interface BackupFile {
  readonly file: string;
  readonly bytes: number;
  /** in hex */
  readonly sha256: string;
}

/** What a file that was taken in is to the record. */
export interface Restored {
  /** the dump that it is */
  readonly dump?: DataDump;
  /** why it counts as none, although somebody may have meant one */
  readonly note?: string;
}

/**
 * Finds the dump of an accessory that a file is, wherever it lies and whatever it is called: it may have been sent to whoever restores.
 * Of an earlier record, name and length tell.
 */
export function restoredDump(dumps: readonly DataDump[] = [], accessory: string, taken: BackupFile): Restored {
  const own = dumps.filter((each) => each.accessory === accessory);
  const isNamed = ({ file }: DataDump) => basename(file) === basename(taken.file);
  const isAsLong = ({ bytes }: DataDump) => bytes === taken.bytes;
  const same = own.filter((each) =>
    each.sha256 === undefined ? isNamed(each) && isAsLong(each) : each.sha256 === taken.sha256,
  );
  const dump = same.findLast(({ doubtful }) => !doubtful) ?? same.at(-1);
  if (dump) return { dump };
  const like = own.findLast(isNamed) ?? own.findLast(isAsLong);
  if (!like) return {};
  const what = isNamed(like)
    ? `has the name of ${like.file}, and other contents`
    : `is as long as ${like.file}, and not it`;
  return {
    note:
      `${taken.file} ${what}: nobody knows of which schema its data are, so what a rollback needs stays as recorded, and no migration ` +
      `runs once more. Where they are from before the migration of ${like.version}, \`--force-schema REASON\` opens the rollback`,
  };
}

function basename(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
