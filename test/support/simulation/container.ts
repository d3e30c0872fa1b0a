import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { ContainerBody } from '../../../infra/docker/api/types.ts';
import type { SimulatedImage } from './images.ts';

/** A volume that a container has. */
export interface SimulatedMount {
  readonly volume: string;
  readonly target: string;
  readonly readOnly: boolean;
  /** nobody named it: it may go with the container */
  readonly isNameless: boolean;
}

/** A part of a container's output. */
export interface Written {
  readonly stream: 1 | 2;
  /** milliseconds since 1970, by the clock of the host */
  readonly at: number;
  readonly data: Buffer;
}

type Status = 'created' | 'running' | 'exited' | 'restarting';
/** What engines say of a time that has not come. */
const never = '0001-01-01T00:00:00Z';

/** A container of a simulated engine: what was asked for, and what became of it. */
export class SimulatedContainer {
  readonly id = randomBytes(32).toString('hex');
  readonly image: SimulatedImage;
  readonly mounts: readonly SimulatedMount[];
  readonly createdAt: number;
  /** its own address on its host */
  readonly address: string;
  readonly output: Written[] = [];
  name: string;
  body: ContainerBody;
  /** network → its other names there */
  networks: Record<string, readonly string[]> = {};
  status: Status = 'created';
  isPaused = false;
  exitCode = 0;
  startedAt = never;
  finishedAt = never;
  restarts = 0;
  /** somebody stopped it: its host does not bring it back */
  isStopped = false;
  process: ChildProcess | undefined;
  /** commands that run in it */
  readonly execs = new Set<ChildProcess>();
  /** called when it ends */
  readonly waiting = new Set<() => void>();
  readonly followers = new Set<(written: Written) => void>();

  constructor(made: {
    readonly name: string;
    readonly body: ContainerBody;
    readonly image: SimulatedImage;
    readonly mounts: readonly SimulatedMount[];
    readonly createdAt: number;
    readonly address: string;
  }) {
    this.name = made.name;
    this.body = made.body;
    this.image = made.image;
    this.mounts = made.mounts;
    this.createdAt = made.createdAt;
    this.address = made.address;
    const { NetworkMode: mode = 'default' } = made.body.HostConfig ?? {};
    const network = mode === 'default' ? 'bridge' : mode;
    const aliases = made.body.NetworkingConfig?.EndpointsConfig?.[network]?.Aliases ?? [];
    this.networks = { [network]: network === 'bridge' ? [] : [...aliases, this.id.slice(0, 12)] };
  }

  get isRunning(): boolean {
    return this.status === 'running';
  }

  /** Whether its process works: nobody has paused it. */
  get works(): boolean {
    return this.isRunning && !this.isPaused;
  }

  get restartPolicy(): string {
    return this.body.HostConfig?.RestartPolicy?.Name ?? 'no';
  }

  /** The names by which others on a network find it. */
  namesOn(network: string): readonly string[] {
    return network in this.networks ? [this.name, ...(this.networks[network] ?? [])] : [];
  }

  write(written: Written): void {
    this.output.push(written);
    for (const follow of this.followers) follow(written);
  }
}
