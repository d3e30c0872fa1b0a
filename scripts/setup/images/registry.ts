/** The registry's image, for machines where the lab may not start processes of its own: Debian's binary and a config. */
import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { run } from '../../tools/command.ts';
import { importFolder } from './import.ts';

export const registryRecipe = 'registry-1';

/** Builds the image `name`; `changes` are Dockerfile instructions added to it. */
export async function buildRegistry(name: string, changes: readonly string[]): Promise<void> {
  const root = await mkdtemp(path.join(tmpdir(), 'lockage-registry-'));
  try {
    for (const folder of ['bin', 'etc/distribution', 'var/lib/registry', 'tmp']) {
      await mkdir(path.join(root, folder), { recursive: true });
    }
    await copyWithLibraries('/usr/bin/docker-registry', root);
    await writeFile(
      path.join(root, 'etc/distribution/config.yml'),
      registryConfig({ address: ':5000', data: '/var/lib/registry' }),
    );
    const instructions = [
      'ENV PATH=/bin',
      'VOLUME /var/lib/registry',
      'EXPOSE 5000',
      'ENTRYPOINT ["/bin/docker-registry"]',
      'CMD ["serve","/etc/distribution/config.yml"]',
      ...changes,
    ];
    await importFolder(root, { name, instructions });
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

// Debian links its Go programs against libc, so the loader and the libraries come along at the paths they have.
async function copyWithLibraries(program: string, root: string): Promise<void> {
  await copyFile(program, path.join(root, 'bin', path.basename(program)));
  await chmod(path.join(root, 'bin', path.basename(program)), 0o755);
  const listed = await run(['ldd', program]).catch(() => '');
  for (const [, library] of listed.matchAll(/(\/\S+) \(0x/g)) {
    if (!library) continue;
    await mkdir(path.join(root, path.dirname(library)), { recursive: true });
    await copyFile(library, path.join(root, library));
    await chmod(path.join(root, library), 0o755);
  }
}

/** Returns a registry's configuration: deletion allowed, nothing logged but warnings, no authentication. */
export function registryConfig(options: { address: string; data: string }): string {
  const config = {
    version: 0.1,
    log: { level: 'warn', accesslog: { disabled: true } },
    storage: {
      filesystem: { rootdirectory: options.data },
      delete: { enabled: true },
      maintenance: { uploadpurging: { enabled: false } },
    },
    http: { addr: options.address },
  };
  // YAML takes JSON as it is.
  return `${JSON.stringify(config, null, 2)}\n`;
}
