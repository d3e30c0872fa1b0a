import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Engine } from '../../infra/docker/api/client.ts';

const run = promisify(execFile);

/** The engine that tests run against: `LOCKAGE_TEST_ENGINE`, else the machine's own. */
export const engineSocket = process.env.LOCKAGE_TEST_ENGINE ?? '/var/run/docker.sock';

/** A prefix for everything one test file creates, so that it finds all of it again. */
export const testPrefix = () => `lockage-test-${randomBytes(4).toString('hex')}`;

export const openEngine = () => new Engine({ host: 'here', socketPath: engineSocket });

/** Runs a command with a deadline and returns its output; throws with its standard error when it fails. */
export async function command(file: string, ...args: string[]): Promise<string> {
  return (await run(file, args, { timeout: 60_000, maxBuffer: 16 * 1024 * 1024 })).stdout.trim();
}

/** Returns the names of the variables that a process was started with. */
export async function variablesOf(pid: number | string): Promise<string[]> {
  const lines = (await readFile(`/proc/${pid}/environ`, 'utf8')).split('\0').filter((line) => line !== '');
  return lines.map((line) => line.split('=')[0] ?? '').sort();
}

export const docker = (...args: string[]) => command('docker', '-H', `unix://${engineSocket}`, ...args);

/**
 * Imports a small image with a shell, made of the machine's static busybox. `marker` makes its layer, and so its id,
 * unique.
 */
export async function importShellImage(name: string, marker = ''): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'lockage-image-'));
  try {
    for (const folder of ['bin', 'tmp', 'etc', 'run']) await mkdir(join(root, folder));
    await copyFile(await busybox(), join(root, 'bin/busybox'));
    for (const applet of ['sh', 'cat', 'echo', 'sleep', 'id', 'stat', 'env', 'pwd', 'head', 'seq', 'printf', 'yes']) {
      await symlink('busybox', join(root, 'bin', applet));
    }
    if (marker !== '') await mkdir(join(root, 'etc', marker));
    await command('tar', '-C', root, '-cf', `${root}.tar`, '.');
    await docker('import', '--change', 'CMD ["sleep","3600"]', `${root}.tar`, name);
  } finally {
    await rm(root, { recursive: true, force: true });
    await rm(`${root}.tar`, { force: true });
  }
}

async function busybox(): Promise<string> {
  return command('which', 'busybox');
}

/** Removes containers, networks, volumes and images whose names begin with the prefix. */
export async function removeAll(prefix: string): Promise<void> {
  const lists: [list: string[], remove: string[]][] = [
    [
      ['ps', '-aq', '--filter', `name=^/?${prefix}`],
      ['rm', '-f', '-v'],
    ],
    [
      ['network', 'ls', '-q', '--filter', `name=^${prefix}`],
      ['network', 'rm'],
    ],
    [
      ['volume', 'ls', '-q', '--filter', `name=^${prefix}`],
      ['volume', 'rm'],
    ],
    [
      ['images', '-q', '--no-trunc', '--filter', `reference=${prefix}*`],
      ['rmi', '-f'],
    ],
  ];
  for (const [list, remove] of lists) {
    const found = [...new Set((await docker(...list)).split('\n').filter(Boolean))];
    if (found.length > 0) await docker(...remove, ...found);
  }
}

/** Returns a port nobody listens on at this moment. */
export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        address && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}
