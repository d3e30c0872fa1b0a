/**
 * The images that machines are made from: a Debian root file system, made once of packages and kept in the cache under
 * a hash of its recipe. The digest of the result is what is recorded.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { LockageError } from '../../../pipelines/errors.ts';
import { fingerprint } from '../../../pipelines/model/fingerprint.ts';
import type { ImageContents } from '../../../pipelines/model/machine-image.ts';
import { shortDigest } from '../../../pipelines/model/release.ts';
import { withFileLock } from '../../system/file-lock.ts';
import { runProgram } from '../../system/run-program.ts';
import { readContents, recordContents } from './contents.ts';
import { makeDisk } from './disk.ts';

const buildDeadline = 600_000;

/** The recipe of a root file system. */
export interface Recipe {
  readonly packages: readonly string[];
  /** shell lines run with the new root as $1 after the packages are installed */
  readonly customize: readonly string[];
  /** it has a kernel of its own, and is turned into a disk */
  readonly bootable?: boolean;
}

/** An image in the cache. */
export interface CachedImage {
  readonly folder: string;
  /** `sha256:…` of its root file system */
  readonly digest: string;
  /** absent: made by an earlier Lockage, which did not record it */
  readonly contents?: ImageContents;
}

const rootArchive = 'root.tar';

/** The host that an engine needs: sshd and dockerd start with the machine. */
export const hostRecipe: Recipe = {
  packages: [
    ...['systemd-sysv', 'dbus', 'kmod', 'iproute2', 'iptables', 'netbase'],
    // An engine that finds pigz unpacks images by it, in half the time of its own.
    ...['openssh-server', 'docker.io', 'pigz', 'ca-certificates'],
  ],
  customize: [
    // Each machine gets a key and an identity of its own.
    'rm -f "$1"/etc/ssh/ssh_host_*',
    'rm -f "$1/etc/machine-id" && : > "$1/etc/machine-id"',
    'printf "%s\\n" "PasswordAuthentication no" "KbdInteractiveAuthentication no" ' +
      '"PermitRootLogin prohibit-password" "X11Forwarding no" > "$1/etc/ssh/sshd_config.d/lockage.conf"',
    // A Docker Engine has no use for the interface of Kubernetes, which listens on a port.
    'printf "%s\\n" "version = 2" "disabled_plugins = [\\"io.containerd.grpc.v1.cri\\"]" > "$1/etc/containerd/config.toml"',
    // A machine is replaced, never patched.
    'rm -f "$1"/etc/systemd/system/timers.target.wants/apt-daily*',
  ],
};

/** Returns the archive of the root file system in an image's folder. */
export function archiveOf(image: CachedImage): string {
  return path.join(image.folder, rootArchive);
}

/**
 * Returns the image of that digest; without one, the image of that recipe, made where it is not in the cache yet,
 * which takes a minute. Throws LockageError when it cannot be made, or an image of that digest is not in the cache:
 * another one would not be the same image.
 */
export async function machineImage(cache: string, recipe: Recipe, digest?: string): Promise<CachedImage> {
  const known = await cachedImages(cache);
  const recorded = known.find((image) => image.digest === digest);
  if (recorded) return recorded;
  if (digest !== undefined) {
    throw new LockageError(`the image ${shortDigest(digest)} of machines is not on this computer any more`, {
      details: [`it was in ${cache}`],
      hint: 'Put that folder back, or build another image with `lockage vm-image build` and promote it.',
    });
  }
  const release = await suite();
  const folder = path.join(cache, fingerprint({ ...recipe, release }));
  const isThis = (image: CachedImage) => image.folder === folder;
  const found = known.find(isThis);
  if (found) return found;
  await mkdir(cache, { recursive: true, mode: 0o700 });
  return withFileLock(`${folder}.lock`, buildDeadline, async () => {
    const meanwhile = (await cachedImages(cache)).find(isThis);
    return meanwhile ?? (await build(folder, recipe));
  });
}

/** Returns all images in the cache. One whose folder is called by a recipe is for every project on this computer. */
export async function storedImages(cache: string): Promise<readonly (CachedImage & { readonly shared: boolean })[]> {
  const images = await cachedImages(cache);
  return images.map((image) => ({
    ...image,
    shared: !/^[0-9a-f]{8}-[0-9a-f-]{27}$/.test(path.basename(image.folder)),
  }));
}

/** Makes an image of today's packages, whatever is in the cache. Throws LockageError when it cannot be made. */
export async function newMachineImage(cache: string, recipe: Recipe): Promise<CachedImage> {
  await mkdir(cache, { recursive: true, mode: 0o700 });
  return build(path.join(cache, randomUUID()), recipe);
}

async function build(folder: string, recipe: Recipe): Promise<CachedImage> {
  await removeDead(path.dirname(folder));
  // A draft per process: a build that is taken for dead may still be running.
  const draft = `${folder}.${process.pid}.draft`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { mode: 0o700 });
  try {
    await buildRoot(path.join(draft, rootArchive), recipe);
    const digest = `sha256:${await hashOf(path.join(draft, rootArchive))}`;
    const contents = await recordContents(draft, path.join(draft, rootArchive));
    if (recipe.bootable) await makeDisk(draft, path.join(draft, rootArchive));
    await writeFile(path.join(draft, 'digest'), `${digest}\n`);
    // It is complete by its name, so all of it has to be on the disk before it has that, also after a power cut.
    await runProgram(['sync', '--file-system', draft], buildDeadline);
    await rename(draft, folder);
    return { folder, digest, contents };
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** Removes what killed builds left. */
async function removeDead(cache: string): Promise<void> {
  const drafts = (await readdir(cache)).filter((name) => name.endsWith('.draft')).map((name) => path.join(cache, name));
  for (const draft of drafts) {
    const made = await stat(draft).catch(() => undefined);
    if (made && Date.now() - made.mtimeMs > 2 * buildDeadline) await rm(draft, { recursive: true, force: true });
  }
}

/** Makes the archive of a root file system of this machine's own release of Debian. */
export async function buildRoot(archive: string, recipe: Recipe): Promise<void> {
  const words = ['--quiet', '--variant=minbase', `--include=${recipe.packages.join(',')}`];
  // An incomplete draft is discarded, so nothing of it has to be flushed to the disk.
  const quick = '--dpkgopt=force-unsafe-io';
  const lean = ['--dpkgopt=path-exclude=/usr/share/doc/*', '--dpkgopt=path-exclude=/usr/share/man/*'];
  const recommends = '--aptopt=APT::Install-Recommends "false"';
  const hook = `--customize-hook=set -eu\n${recipe.customize.join('\n')}`;
  await runProgram(['mmdebstrap', ...words, quick, ...lean, recommends, hook, await suite(), archive], buildDeadline);
}

/** Returns this machine's own release: its keyring and its mirror are the ones that work here. */
export async function suite(): Promise<string> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return /^VERSION_CODENAME="?([a-z]+)"?$/m.exec(release)?.[1] ?? 'bookworm';
}

async function cachedImages(cache: string): Promise<CachedImage[]> {
  const names = await readdir(cache).catch(() => []);
  const folders = names.map((name) => path.join(cache, name)).filter((folder) => existsSync(`${folder}/digest`));
  return Promise.all(
    folders
      .filter((folder) => !folder.endsWith('.draft'))
      .map(async (folder) => {
        const contents = await readContents(folder);
        const digest = (await readFile(path.join(folder, 'digest'), 'utf8')).trim();
        return { folder, digest, ...(contents && { contents }) };
      }),
  );
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
