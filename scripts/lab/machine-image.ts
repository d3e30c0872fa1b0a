/** The root file system of a plain Debian machine, made once by mmdebstrap and kept in the cache. */
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { buildRoot, suite } from '../../infra/machines/image/image.ts';
import { cacheFolder } from '../../infra/system/cache-folder.ts';
import { withLock } from '../setup/lock.mjs';
import { cacheLock } from '../tools/cache.ts';

const recipe = 'machine-1';

/** The user that logs in to a machine besides root, and may become root without a password. */
export const machineUser = 'deploy';

// As an installer leaves it, with a way to log in. Without Docker: installing it is what such a machine is for.
const packages = ['systemd-sysv', 'dbus', 'openssh-server', 'sudo', 'iproute2', 'netbase', 'ca-certificates'];

const customize = [
  `chroot "$1" useradd --create-home --shell /bin/bash ${machineUser}`,
  `echo "${machineUser} ALL=(ALL) NOPASSWD: ALL" > "$1/etc/sudoers.d/${machineUser}"`,
  `chmod 440 "$1/etc/sudoers.d/${machineUser}"`,
  // Each machine gets a key of its own.
  'rm -f "$1"/etc/ssh/ssh_host_*',
  'rm -f "$1/etc/machine-id" && : > "$1/etc/machine-id"',
];

/** Returns the archive with the root file system, made if it is not there yet (about a minute). */
export async function machineImage(): Promise<string> {
  const release = await suite();
  const archive = path.join(cacheFolder(), 'machines', `${recipe}-${release}.tar`);
  if (existsSync(archive)) return archive;
  await mkdir(path.dirname(archive), { recursive: true });
  return withLock(cacheLock('machine-image'), async () => {
    if (existsSync(archive)) return archive;
    const draft = `${archive}.${process.pid}.tar`;
    try {
      await buildRoot(draft, { packages, customize });
      await rename(draft, archive);
    } finally {
      await rm(draft, { force: true });
    }
    return archive;
  });
}
