import { runPiped } from '../../tools/command.ts';

/** An image that is to be made from a root file system. */
export interface Imported {
  readonly name: string;
  /** lines of a Dockerfile */
  readonly instructions: readonly string[];
}

/** Makes an image of what a program writes to its stdout: an archive of a root file system. */
export async function importArchive(
  producer: readonly string[],
  { name, instructions }: Imported,
  timeout: number,
): Promise<void> {
  const changes = instructions.flatMap((line) => ['--change', line]);
  await runPiped(producer, ['docker', 'import', ...changes, '-', name], { timeout });
}

/** Makes an image of a folder, the same whoever makes it and when. */
export function importFolder(root: string, image: Imported): Promise<void> {
  const same = ['--numeric-owner', '--owner=0', '--group=0', '--mtime=@0', '--sort=name'];
  return importArchive(['tar', ...same, '-C', root, '-c', '.'], image, 180_000);
}
