/** The disk of an image whose machines have a kernel of their own, and the files that start them. */
import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { runProgram } from '../../system/run-program.ts';

/** The places where a recipe leaves the kernel and the first files of its start, in the root file system. */
export const startFiles = { kernel: 'boot/lockage-vmlinuz', initrd: 'boot/lockage-initrd' } as const;

const timeout = 600_000;

/** Returns the disk that machines lay their own changes over. */
export const diskOf = (folder: string) => path.join(folder, 'disk.raw');
export const kernelOf = (folder: string) => path.join(folder, 'vmlinuz');
export const initrdOf = (folder: string) => path.join(folder, 'initrd.cpio');

/** Makes the disk from a root file system's archive, which is removed. Machines resize it to their own size. */
export async function makeDisk(folder: string, archive: string): Promise<void> {
  const root = path.join(folder, 'root');
  await mkdir(root, { mode: 0o755 });
  await runProgram(['tar', '-C', root, '--numeric-owner', '-xpf', archive], timeout);
  await rename(path.join(root, startFiles.kernel), kernelOf(folder));
  await rename(path.join(root, startFiles.initrd), initrdOf(folder));
  // Nothing is left for the machine to do in the background once it runs.
  const complete = ['-E', 'lazy_itable_init=0,lazy_journal_init=0', '-m', '0'];
  await runProgram(['mke2fs', '-q', '-t', 'ext4', ...complete, '-d', root, diskOf(folder), '2G'], timeout);
  await rm(root, { recursive: true });
  await rm(archive);
}
