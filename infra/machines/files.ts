import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { MachineFile } from './machine-kind.ts';

/** Writes files below a root file system, owned by root. */
export async function writeInto(root: string, files: readonly MachineFile[]): Promise<void> {
  for (const { path: name, text, mode } of files) {
    const file = path.join(root, name);
    await mkdir(path.dirname(file), { recursive: true, mode: mode === 0o600 ? 0o700 : 0o755 });
    // A link there could lead out of the root.
    await rm(file, { force: true });
    await writeFile(file, text, { mode });
  }
}
