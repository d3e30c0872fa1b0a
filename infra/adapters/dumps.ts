import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import type { DumpPlace, Dumps, DumpsToKeep } from '../../pipelines/operations/ports/dumps.ts';
import type { BackupFile } from '../../pipelines/planning/restored-dump.ts';
import type { AccessoriesAdapter } from './accessories.ts';

/** The dumps of data that are taken before migrations: files beside the state of whoever promotes. */
export class DumpsAdapter implements Dumps {
  readonly #folder: string;
  readonly #root: string;
  readonly #accessories: AccessoriesAdapter;

  /** `root`: the project's folder, from which people give paths */
  constructor(folder: string, root: string, accessories: AccessoriesAdapter) {
    this.#folder = folder;
    this.#root = root;
    this.#accessories = accessories;
  }

  async take(place: DumpPlace, name: string, { keep, needed }: DumpsToKeep): Promise<BackupFile | undefined> {
    if (!(await this.#accessories.isThere(place))) return undefined;
    const folder = join(this.#folder, place.environment.name);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const file = join(folder, `${name}.dump`);
    const { bytes, sha256 } = await this.#accessories.backUp(place, file, { prove: false });
    const pattern = new RegExp(`^${place.accessory.name}-r\\d+-before-.*\\.dump$`);
    await keepNewest(folder, pattern, { keep, needed: needed.map((each) => basename(each)) });
    return { file: relative(this.#root, file), bytes, sha256 };
  }
}

/** Removes all but the newest files that are named so, and those that are needed, whichever command wrote them. */
async function keepNewest(folder: string, pattern: RegExp, { keep, needed }: DumpsToKeep): Promise<void> {
  const names = (await readdir(folder)).filter((name) => pattern.test(name));
  const written = await Promise.all(
    names.map(async (name) => ({ name, at: (await stat(join(folder, name))).mtimeMs })),
  );
  const old = written.sort((a, b) => b.at - a.at).slice(keep);
  for (const { name } of old) if (!needed.includes(name)) await rm(join(folder, name), { force: true });
}
