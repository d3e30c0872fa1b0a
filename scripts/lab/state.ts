/**
 * The state of a lab: what it has made on the machine, written to `lab.json` before or right after each thing is made,
 * so that a lab whose creator was killed can still be removed to the last interface.
 */
import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { writeAtomic } from '../../infra/system/atomic-file.ts';
import type { NewerEngine } from './engine-programs.ts';

/** A process by its id and the time it started, so that a reused id is never taken for it. */
export interface ProcessMark {
  readonly pid: number;
  /** field 22 of /proc/PID/stat together with the machine's boot id */
  readonly started: string;
}

export interface HostState {
  readonly name: string;
  /** absent for the builder */
  readonly environment?: string;
  readonly reach: 'unix' | 'ssh' | 'tls';
  /** its part in its environment's swarm; absent where the hosts form none */
  readonly node?: 'manager' | 'worker';
  readonly address: string;
  /** name of its network namespace */
  readonly namespace: string;
  /** the machine's end of its network cable */
  readonly cable: string;
  /** bytes of a file system in memory for the engine's data, instead of a folder */
  readonly disk?: number;
  /** its Docker Engine, where it is not the machine's */
  readonly engine?: NewerEngine;
  /** `1.44`: the oldest API that its engine speaks, where that is to be later than by itself */
  readonly oldestApi?: string;
  /** its containers' users are others on the host */
  readonly remapsUsers?: boolean;
  /** the process that ends everything inside the host when it ends */
  readonly keeper?: ProcessMark;
  /** the host's first process, whose namespaces others enter */
  readonly inner?: number;
  /** `SHA256:…` of its ssh host key */
  readonly hostKey?: string;
  /** its line in a known_hosts file */
  readonly knownHost?: string;
}

export interface LabState {
  readonly kind: 'bare' | 'one-engine';
  readonly name: string;
  /** `host:port` */
  readonly registry: string;
  readonly bridge?: string;
  /** `10.71.3`: the first three numbers of the lab's addresses */
  readonly subnet?: string;
  readonly registryProcess?: ProcessMark;
  /** container of the registry, where there is one engine only */
  readonly registryContainer?: string;
  /** `unix://…` of that engine */
  readonly engine?: string;
  /** the registry's address while base images were pushed: their tags carry it until the push is over */
  readonly relay?: string;
  readonly hosts: readonly HostState[];
  /** base images in the lab's registry: `edge` → `10.71.3.1:5000/lockage-base/edge@sha256:…` */
  readonly images: Readonly<Record<string, string>>;
}

/** A lab's state, in memory and on disk at once. */
export class StateFile {
  readonly dataDir: string;
  #state: LabState;
  #writing: Promise<void> = Promise.resolve();

  constructor(dataDir: string, state: LabState) {
    this.dataDir = dataDir;
    this.#state = state;
  }

  get state(): LabState {
    return this.#state;
  }

  /** Changes the state and resolves when the change is on disk. */
  async update(change: Partial<LabState>): Promise<void> {
    this.#state = { ...this.#state, ...change };
    await this.#write();
  }

  /** Changes the state of one host and resolves when the change is on disk. */
  async updateHost(name: string, change: Partial<HostState>): Promise<void> {
    const hosts = this.#state.hosts.map((host) => (host.name === name ? { ...host, ...change } : host));
    await this.update({ hosts });
  }

  #write(): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      await writeAtomic(stateFile(this.dataDir), `${JSON.stringify(this.#state, null, 2)}\n`);
    });
    return this.#writing;
  }
}

/** Reads the state of the lab in a folder; returns undefined if there is none. */
export async function readState(dataDir: string): Promise<LabState | undefined> {
  if (!existsSync(stateFile(dataDir))) return undefined;
  return JSON.parse(await readFile(stateFile(dataDir), 'utf8')) as LabState;
}

/** Makes the mark of a running process. */
export function markProcess(pid: number): ProcessMark {
  const started = startTime(pid);
  if (started === undefined) throw new Error(`process ${pid} ended at once`);
  return { pid, started };
}

/** Returns whether exactly that process still exists (a zombie does not count). */
export function isRunning(mark: ProcessMark | undefined): boolean {
  return mark !== undefined && startTime(mark.pid) === mark.started;
}

function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in field 2 may hold spaces and parentheses; after its last one the fields are plain.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z') return undefined;
    return `${fields[19]}@${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}`;
  } catch {
    return undefined;
  }
}

function stateFile(dataDir: string): string {
  return path.join(dataDir, 'lab.json');
}
