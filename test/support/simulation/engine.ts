import { randomBytes } from 'node:crypto';
import { lstatSync, mkdirSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerBody, ContainerLimits } from '../../../infra/docker/api/types.ts';
import { SimulatedContainer, type SimulatedMount } from './container.ts';
import { publishedPorts } from './details.ts';
import { Images, type SimulatedImage } from './images.ts';
import { endSession, type Programs } from './programs.ts';
import { Runner } from './running.ts';
import { Traffic } from './traffic.ts';

/** What an engine refuses, with the status of its answer. */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** A volume, as an engine notes it. */
export interface SimulatedVolume {
  readonly Name: string;
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly CreatedAt: string;
}

/** A network, as an engine notes it. */
export interface SimulatedNetwork {
  readonly Name: string;
  readonly Id: string;
  readonly Labels: Readonly<Record<string, string>>;
}

/** What a simulated engine is made of. */
export interface SimulatedHost {
  readonly name: string;
  readonly folder: string;
  readonly programs: Programs;
  /** reference by digest → image */
  readonly registry?: ReadonlyMap<string, SimulatedImage>;
  /** Returns milliseconds since 1970, by the clock of the host. */
  now?(): number;
}

/**
 * A Docker Engine on a host of its own, as far as Lockage speaks to one: containers, images, networks and volumes. Commands
 * of containers are run for real, by the busybox of this computer in the folders that are their volumes, and their ports are
 * ports of loopback addresses. `serveEngine` puts the engine's API before it.
 */
export class SimulatedEngine {
  readonly host: SimulatedHost;
  readonly id = randomBytes(16).toString('hex');
  /** the host's own address, and where its published ports are */
  readonly address = anyAddress();
  readonly images: Images;
  readonly volumes = new Map<string, SimulatedVolume>();
  readonly networks = new Map<string, SimulatedNetwork>();
  readonly runner: Runner;
  readonly #all = new Map<string, SimulatedContainer>();
  readonly #traffic: Traffic;

  constructor(host: SimulatedHost) {
    this.host = host;
    mkdirSync(host.folder, { recursive: true });
    this.images = new Images(host.registry ?? new Map());
    const { address } = this;
    const volumeFolder = (volume: string) => this.runner.volumeFolder(volume);
    this.#traffic = new Traffic({ address, containers: () => this.#all.values(), volumeFolder });
    const { folder, programs } = host;
    this.runner = new Runner({ folder, address, programs, traffic: this.#traffic, now: () => this.now() });
  }

  now(): number {
    return this.host.now?.() ?? Date.now();
  }

  get containers(): readonly SimulatedContainer[] {
    return [...this.#all.values()];
  }

  /** Returns a container by its name, its id, or the beginning of that. Throws Refusal. */
  container(name: string): SimulatedContainer {
    const found = this.containers.find((each) => each.name === name || each.id.startsWith(name));
    if (!found) throw new Refusal(404, `No such container: ${name}`);
    return found;
  }

  create(name: string, body: ContainerBody): SimulatedContainer {
    this.#refuseTaken(name);
    const image = this.images.find(body.Image ?? '');
    if (!image) throw new Refusal(404, `No such image: ${body.Image}`);
    const made = new SimulatedContainer({
      ...{ name, body, image, createdAt: this.now(), address: anyAddress() },
      mounts: this.#mountsOf(body, image),
    });
    this.#all.set(made.id, made);
    return made;
  }

  rename(container: SimulatedContainer, to: string): void {
    this.#refuseTaken(to);
    container.name = to;
  }

  /** Returns false where it runs already. */
  async start(container: SimulatedContainer): Promise<boolean> {
    if (container.isPaused) throw new Refusal(409, 'cannot start a paused container, try unpause instead');
    if (container.isRunning) return false;
    this.#refuseLost(container);
    this.#refusePorts(container);
    container.isStopped = false;
    await this.#begin(container);
    return true;
  }

  /** Returns false where it does not run. */
  async stop(container: SimulatedContainer, graceMs: number): Promise<boolean> {
    container.isStopped = true;
    if (container.status === 'restarting') container.status = 'exited';
    if (!container.isRunning) return false;
    if (container.isPaused) this.pause(container, false);
    if (container.process) {
      const ended = new Promise<void>((resolve) => container.waiting.add(resolve));
      endSession(container.process, 'SIGTERM');
      await Promise.race([ended, sleep(graceMs)]);
    }
    if (container.isRunning) this.#ended(container, container.process ? 137 : 143);
    return true;
  }

  kill(container: SimulatedContainer): void {
    if (!container.isRunning) throw new Refusal(409, `Container ${container.name} is not running`);
    container.isStopped = true;
    this.#ended(container, 137);
  }

  /** Its program ends by itself: whoever brings it back is its host. */
  crash(container: SimulatedContainer, code = 1): void {
    if (container.isRunning) this.#endedByItself(container, code);
  }

  pause(container: SimulatedContainer, isPaused: boolean): void {
    if (!container.isRunning) throw new Refusal(409, `Container ${container.name} is not running`);
    container.isPaused = isPaused;
    if (container.process) endSession(container.process, isPaused ? 'SIGSTOP' : 'SIGCONT');
  }

  remove(container: SimulatedContainer, options: { readonly force: boolean; readonly withVolumes: boolean }): void {
    if (container.isRunning && !options.force)
      throw new Refusal(409, `cannot remove container "/${container.name}": container is running`);
    container.isStopped = true;
    if (container.isRunning) this.#ended(container, 137);
    this.#all.delete(container.id);
    rmSync(join(this.host.folder, 'containers', container.id), { recursive: true, force: true });
    const nameless = container.mounts.filter(({ isNameless }) => isNameless && options.withVolumes);
    for (const { volume } of nameless) if (this.usersOf(volume).length === 0) this.volumes.delete(volume);
  }

  update(container: SimulatedContainer, limits: ContainerLimits): void {
    container.body = { ...container.body, HostConfig: { ...container.body.HostConfig, ...limits } };
  }

  /** Returns the containers that have a volume. */
  usersOf(volume: string): SimulatedContainer[] {
    return this.containers.filter(({ mounts }) => mounts.some((mount) => mount.volume === volume));
  }

  createVolume(name: string, labels: SimulatedVolume['Labels'] = null): SimulatedVolume {
    const seconds = Math.floor(this.now() / 1000) * 1000;
    const made = { Name: name, Labels: labels, CreatedAt: new Date(seconds).toISOString() };
    const found = this.volumes.get(name) ?? made;
    this.volumes.set(name, found);
    return found;
  }

  removeVolume(name: string): void {
    if (!this.volumes.has(name)) throw new Refusal(404, `get ${name}: no such volume`);
    const users = this.usersOf(name).map(({ id }) => id);
    if (users.length > 0) throw new Refusal(409, `remove ${name}: volume is in use - [${users.join(', ')}]`);
    this.volumes.delete(name);
    rmSync(this.runner.volumeFolder(name), { recursive: true, force: true });
  }

  createNetwork(name: string, labels: SimulatedNetwork['Labels']): SimulatedNetwork {
    if (this.networks.has(name)) throw new Refusal(409, `network with name ${name} already exists`);
    const made = { Name: name, Id: randomBytes(32).toString('hex'), Labels: labels };
    this.networks.set(name, made);
    return made;
  }

  /** Returns the containers on a network. */
  membersOf(network: string): SimulatedContainer[] {
    return this.containers.filter((each) => network in each.networks && each.isRunning);
  }

  removeNetwork(name: string): void {
    const found = this.network(name);
    if (this.membersOf(found.Name).length > 0)
      throw new Refusal(403, `error while removing network: network ${name} has active endpoints`);
    this.networks.delete(found.Name);
  }

  network(name: string): SimulatedNetwork {
    const found = [...this.networks.values()].find(({ Name, Id }) => Name === name || Id === name);
    if (!found) throw new Refusal(404, `network ${name} not found`);
    return found;
  }

  /** Returns where the edges of the host send visitors: `shop-prod-live routes-0123`. */
  routes(): string[] {
    return [...this.volumes.keys()].flatMap((volume) => {
      const now = join(this.runner.volumeFolder(volume), 'now');
      return lstatSync(now, { throwIfNoEntry: false }) ? [`${volume} ${readlinkSync(now)}`] : [];
    });
  }

  /** The host loses power and comes back: what is to be brought back starts again. */
  async reboot(): Promise<void> {
    const ran = this.containers.filter(({ isRunning }) => isRunning);
    for (const container of ran) this.#ended(container, 255);
    for (const container of ran)
      if (container.restartPolicy === 'always' || container.restartPolicy === 'unless-stopped')
        await this.#begin(container);
  }

  /** Ends everything, for good. */
  close(): void {
    for (const container of this.containers) this.runner.end(container);
  }

  async #begin(container: SimulatedContainer): Promise<void> {
    container.status = 'running';
    container.startedAt = new Date(this.now()).toISOString();
    container.exitCode = 0;
    await this.runner.begin(container, (code) => this.#endedByItself(container, code));
  }

  #ended(container: SimulatedContainer, code: number): void {
    this.runner.end(container);
    Object.assign(container, { status: 'exited', isPaused: false, exitCode: code });
    container.finishedAt = new Date(this.now()).toISOString();
    for (const hear of container.waiting) hear();
    container.waiting.clear();
    if (container.body.HostConfig?.AutoRemove) this.#all.delete(container.id);
  }

  #endedByItself(container: SimulatedContainer, code: number): void {
    this.#ended(container, code);
    const policy = container.restartPolicy;
    const comesBack = policy === 'always' || policy === 'unless-stopped' || (policy === 'on-failure' && code !== 0);
    if (!comesBack || container.isStopped) return;
    container.status = 'restarting';
    container.restarts += 1;
    setTimeout(() => {
      if (this.#all.has(container.id) && container.status === 'restarting') void this.#begin(container);
    }, 100).unref();
  }

  #refuseTaken(name: string): void {
    const holder = this.containers.find((each) => each.name === name);
    if (!holder) return;
    const why = `The container name "/${name}" is already in use by container "${holder.id}".`;
    throw new Refusal(
      409,
      `Conflict. ${why} You have to remove (or rename) that container to be able to reuse that name.`,
    );
  }

  #refuseLost({ networks }: SimulatedContainer): void {
    const builtIn = ['bridge', 'host', 'none'];
    const lost = Object.keys(networks).find((name) => !builtIn.includes(name) && !this.networks.has(name));
    if (lost !== undefined) throw new Refusal(404, `network ${lost} not found`);
  }

  #refusePorts(container: SimulatedContainer): void {
    const taken = this.containers.filter(({ isRunning }) => isRunning).flatMap(publishedPorts);
    const clash = publishedPorts(container).find(({ outside }) => taken.some((other) => other.outside === outside));
    if (!clash) return;
    const where = `driver failed programming external connectivity on endpoint ${container.name}`;
    throw new Refusal(500, `${where}: Bind for 0.0.0.0:${clash.outside} failed: port is already allocated`);
  }

  #mountsOf(body: ContainerBody, image: SimulatedImage): SimulatedMount[] {
    const mounts = this.#askedMounts(body);
    const declared = [...Object.keys(image.config['Volumes'] ?? {}), ...Object.keys(body.Volumes ?? {})];
    const own = declared
      .filter((target) => !mounts.some((mount) => mount.target === target))
      .map((target) => ({ volume: randomBytes(32).toString('hex'), target, readOnly: false, isNameless: true }));
    for (const { volume } of own) this.createVolume(volume);
    return [...mounts, ...own];
  }

  #askedMounts({ HostConfig: { Mounts = [], Binds = [], VolumesFrom = [] } = {} }: ContainerBody): SimulatedMount[] {
    const asked = Mounts as readonly { Source?: string; Target: string; ReadOnly?: boolean; VolumeOptions?: object }[];
    const named = asked.map(({ Source = '', Target, ReadOnly = false, VolumeOptions }) => {
      const volume = Source === '' ? randomBytes(32).toString('hex') : Source;
      const { Labels = null } = (VolumeOptions ?? {}) as { Labels?: SimulatedVolume['Labels'] };
      this.createVolume(volume, Labels);
      return { volume, target: Target, readOnly: ReadOnly, isNameless: Source === '' };
    });
    const bound = (Binds as readonly string[]).map((line) => {
      const [volume = '', target = ''] = line.split(':');
      this.createVolume(volume);
      return { volume, target, readOnly: false, isNameless: false };
    });
    const shared = (VolumesFrom as readonly string[]).flatMap(
      (line) => this.container(line.split(':')[0] ?? '').mounts,
    );
    return [...named, ...bound, ...shared];
  }
}

function anyAddress(): string {
  return ['127', ...Array.from({ length: 3 }, () => 1 + Math.floor(Math.random() * 250))].join('.');
}
