/** The machine of a soak, and what takes room on it. */
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Machine, Sizes } from './journal.ts';
import type { Stage } from './stage.ts';

const run = promisify(execFile);

/** Returns what the machine is. */
export async function machineOf(stage: Stage): Promise<Machine> {
  const docker = await stage.docker('prod-1', 'version', '--format', '{{.Server.Version}}');
  return { cores: cpus().length, model: cpus()[0]?.model ?? '', memory: totalmem(), kernel: release(), docker };
}

/** Returns what is there, and what it takes. */
export async function sizesOf(stage: Stage): Promise<Sizes> {
  const count = async (...words: string[]) => {
    const lists = await Promise.all(stage.hosts.map(({ name }) => stage.docker(name, ...words)));
    return lists.flatMap((text) => text.split('\n').filter((line) => line !== '')).length;
  };
  const lab = stage.project.lab.dataDir;
  return {
    containers: await count('ps', '--all', '--quiet'),
    volumes: await count('volume', 'ls', '--quiet'),
    networks: await count('network', 'ls', '--quiet'),
    images: await count('images', '--quiet'),
    state: await bytesIn(join(stage.project.folder, '.lockage')),
    hosts: await bytesIn(join(lab, 'hosts')),
    registry: await bytesIn(join(lab, 'registry')),
    engines: await enginesMemory(lab),
    available: await availableMemory(),
  };
}

/** Returns what a folder takes on its disk. Files that go meanwhile are no error. */
async function bytesIn(folder: string): Promise<number> {
  const { stdout } = await run('du', ['-s', '--block-size=1', folder], { maxBuffer: 2 ** 26 }).catch(
    (error: { stdout?: string }) => ({ stdout: error.stdout ?? '' }),
  );
  return Number.parseInt(stdout, 10) || 0;
}

/** Returns the memory of all engines of a lab. */
async function enginesMemory(lab: string): Promise<number> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const sizes = await Promise.all(
    pids.map(async (pid) => {
      const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      if (!words.startsWith('dockerd\0') || !words.includes(lab)) return 0;
      const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
      return 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
    }),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function availableMemory(): Promise<number> {
  return 1024 * Number(/^MemAvailable:\s+(\d+)/m.exec(await readFile('/proc/meminfo', 'utf8'))?.[1] ?? 0);
}
