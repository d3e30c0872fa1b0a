/** The root file system of a plain Debian machine, made once by mmdebstrap and kept in the cache. */
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { cacheDir, cacheLock } from '../setup/cache.ts';
import { withLock } from '../setup/lock.mjs';
import { run } from './command.ts';
import { suite } from './image-debian.ts';

const recipe = 'machine-1';

/** Whoever logs in to a machine besides root: may become root without a password. */
export const machineUser = 'deploy';

// As an installer leaves it, with a way to log in. No Docker: to bring it is what is tried on such a machine.
const packages = ['systemd-sysv', 'dbus', 'openssh-server', 'sudo', 'iproute2', 'netbase', 'ca-certificates'];

const customize = [
  `chroot "$1" useradd --create-home --shell /bin/bash ${machineUser}`,
  `echo "${machineUser} ALL=(ALL) NOPASSWD: ALL" > "$1/etc/sudoers.d/${machineUser}"`,
  `chmod 440 "$1/etc/sudoers.d/${machineUser}"`,
  // Each machine gets a key of its own.
  'rm -f "$1"/etc/ssh/ssh_host_*',
  'rm -f "$1/etc/machine-id" && : > "$1/etc/machine-id"',
].join('\n');

/** The archive with the root file system, made where it is not there yet (about a minute). */
export async function machineImage(): Promise<string> {
  const release = await suite();
  const archive = path.join(cacheDir(), 'machines', `${recipe}-${release}.tar`);
  if (existsSync(archive)) return archive;
  await mkdir(path.dirname(archive), { recursive: true });
  return withLock(cacheLock('machine-image'), async () => {
    if (existsSync(archive)) return archive;
    const draft = `${archive}.${process.pid}.tar`;
    try {
      const words = ['--quiet', '--variant=minbase', `--include=${packages.join(',')}`];
      const lean = ['--dpkgopt=path-exclude=/usr/share/doc/*', '--dpkgopt=path-exclude=/usr/share/man/*'];
      const hook = `--customize-hook=set -eu\n${customize}`;
      await run(['mmdebstrap', ...words, ...lean, hook, release, draft], { timeout: 600_000 });
      await rename(draft, archive);
    } finally {
      await rm(draft, { force: true });
    }
    return archive;
  });
}
