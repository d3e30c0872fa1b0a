/** A process within the limits that a container would have, by the kernel's control groups, version 1 or 2. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerBody } from '../../infra/docker/api/client.ts';

type Limits = Pick<NonNullable<ContainerBody['HostConfig']>, 'Memory' | 'NanoCpus' | 'Ulimits'>;

const groups = '/sys/fs/cgroup';
const isSecond = existsSync(`${groups}/cgroup.controllers`);
/** Microseconds of which a process gets its share. */
const period = 100_000;
let made = 0;

export class Limited {
  readonly #folders: readonly string[];
  readonly #files: number;

  private constructor(folders: readonly string[], files: number) {
    this.#folders = folders;
    this.#files = files;
  }

  /** Makes the group. It needs root. */
  static async by({ Memory: memory = 0, NanoCpus: cpus = 0, Ulimits: limits = [] }: Limits): Promise<Limited> {
    const name = `lockage-${process.pid}-${(made += 1)}`;
    const share = cpus === 0 ? undefined : Math.round((cpus / 1e9) * period);
    const files = limits?.find(({ Name }) => Name === 'nofile')?.Hard ?? 1024;
    const memoryFolder = isSecond ? `${groups}/${name}` : `${groups}/memory/${name}`;
    const processorFolder = isSecond ? memoryFolder : `${groups}/cpu/${name}`;
    const folders = [...new Set([memoryFolder, processorFolder])];
    for (const folder of folders) await mkdir(folder);
    if (isSecond) {
      await writeFile(`${memoryFolder}/memory.max`, memory === 0 ? 'max' : String(memory));
      await writeFile(`${processorFolder}/cpu.max`, `${share ?? 'max'} ${period}`);
    } else {
      await writeFile(`${memoryFolder}/memory.limit_in_bytes`, memory === 0 ? '-1' : String(memory));
      await writeFile(`${processorFolder}/cpu.cfs_quota_us`, String(share ?? -1));
    }
    return new Limited(folders, files);
  }

  /** Returns the command that runs a program in the group, from a copy of its own: its file counts as memory, too. */
  command(program: string, copy: string, words: readonly string[]): [string, string[]] {
    const enter = this.#folders.map((folder) => `echo $$ > ${folder}/cgroup.procs`).join(' && ');
    const start = `${enter} && cp "$1" "$2" && ulimit -n ${this.#files} && shift && exec "$@"`;
    return ['sh', ['-c', start, 'sh', program, copy, ...words]];
  }

  /** Takes a process in that runs already. */
  async take(pid: number): Promise<void> {
    for (const folder of this.#folders) await writeFile(`${folder}/cgroup.procs`, String(pid));
  }

  /** Removes the group, when its process has ended. */
  async remove(): Promise<void> {
    for (const folder of this.#folders) {
      for (let tries = 0; existsSync(folder) && tries < 50; tries += 1) {
        await rmdir(folder).catch(() => sleep(100));
      }
    }
  }

  /** Returns how often the kernel has ended a process of the group for its memory. */
  async killed(): Promise<number> {
    const [memory = ''] = this.#folders;
    const text = await readFile(`${memory}/${isSecond ? 'memory.events' : 'memory.oom_control'}`, 'utf8');
    return Number(/oom_kill (\d+)/.exec(text)?.[1] ?? 0);
  }
}
