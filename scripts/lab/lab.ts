/**
 * A lab: real bare hosts on one Linux machine, for tests, benchmarks and the demo. Each host has its own address,
 * Docker Engine and (optionally) ssh server or port with TLS; all pull from one registry, and one more host builds
 * images.
 */
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createBridge, freeSubnet } from '../../infra/machines/network.ts';
import { baseImages, type BaseImage } from '../setup/images/base-images.ts';
import type { RunOptions } from '../tools/command.ts';
import {
  cutPower,
  dataRoot,
  execInHost,
  hostSocket,
  hostState,
  restorePower,
  startEngine,
  startHost,
  stopEngine,
} from './host.ts';
import { engineOfLabs, type NewerEngine } from './engine-programs.ts';
import { keepLayers, layersOf, addLayers, type Layers } from './layers.ts';
import { connectHost } from './network.ts';
import { findRegistries, startRegistry } from './registry.ts';
import { removeLab } from './remove.ts';
import { seedImages } from './seed.ts';
import { createIdentity, identityFile, knownHostsFile } from './ssh.ts';
import { readState, StateFile, type HostState, type LabState } from './state.ts';
import { formSwarm } from './swarm.ts';
import { clientFiles, createTlsIdentity, tlsUrl } from './tls.ts';

export { removeLab } from './remove.ts';

export interface LabEnvironment {
  readonly hosts: number;
  readonly reach: 'unix' | 'ssh' | 'tls';
  /** bytes: the engines' data is on a file system in memory of that size, which can be filled */
  readonly disk?: number;
  /** their Docker Engine; that of `LOCKAGE_LAB_ENGINE` by default, which is the machine's where it is absent */
  readonly engine?: NewerEngine;
  /** `1.44`: the oldest API that the newer engine speaks, later than by itself: the first of its kind had that one */
  readonly oldestApi?: string;
  /** users of containers are others on the host (`userns-remap`) */
  readonly remapsUsers?: boolean;
  /** the hosts form a Docker Swarm, of which this many are managers */
  readonly managers?: number;
}

export interface LabOptions {
  /** up to ten letters, digits and hyphens: interfaces and namespaces carry it */
  readonly name: string;
  readonly environments: Readonly<Record<string, LabEnvironment>>;
  /** a new folder for all files of the lab */
  readonly dataDir: string;
  readonly log?: (line: string) => void;
  /** base images to have in the lab's registry; `node` is also put on the builder */
  readonly seed?: readonly BaseImage[];
  /** the engines have the layers of these images from the start: pulling them moves no bytes */
  readonly layers?: boolean;
}

/** A host as a configuration describes it. */
export interface LabHost {
  readonly name: string;
  readonly environment: string;
  /** its part in the environment's swarm */
  readonly node?: 'manager' | 'worker';
  /** `unix:///…`, `ssh://root@…` or `tcp://…`: how Lockage reaches it */
  readonly url: string;
  /** `unix:///…`: how a test reaches its engine without Lockage */
  readonly dockerHost: string;
  readonly address: string;
  readonly identity?: string;
  readonly hostKey?: string;
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string };
}

/** A host that is the lab's own, so that it can be broken. */
export interface BareHost extends LabHost {
  /** runs a program inside */
  exec(argv: readonly string[], options?: RunOptions): Promise<string>;
  /** stops the engine and its containers; `crash` kills the engine alone */
  stopDocker(options?: { crash?: boolean }): Promise<void>;
  /** starts the engine, or another one on the same data, as an upgrade does */
  startDocker(engine?: NewerEngine): Promise<void>;
  /** kills everything at once and loses what was in memory */
  cutPower(): Promise<void>;
  /** starts what a machine starts when its power is back */
  restorePower(): Promise<void>;
  /** drops every packet of the host's network, as a pulled cable does */
  unplug(): Promise<void>;
  plug(): Promise<void>;
}

export interface Lab<H extends LabHost = BareHost> {
  readonly name: string;
  readonly dataDir: string;
  /** `host:port` of the registry, the same for the builder and all hosts */
  readonly registry: string;
  /** engine that builds and pushes images */
  readonly builder: { readonly dockerHost: string; readonly address: string };
  readonly hosts: readonly H[];
  /** base images in the registry, by digest */
  readonly images: Readonly<Partial<Record<BaseImage, string>>>;
  /** known_hosts file with the ssh hosts */
  readonly knownHosts?: string;
  host(name: string): H;
  stopRegistry(): Promise<void>;
  startRegistry(): Promise<void>;
  remove(): Promise<void>;
}

const builderName = 'builder';

/** Makes a lab. What was made before a failure is removed again. */
export async function createLab(options: LabOptions): Promise<Lab> {
  check(options);
  const dataDir = path.resolve(options.dataDir);
  const subnet = await freeSubnet();
  const file = new StateFile(dataDir, plan(options, subnet));
  await file.update({});
  try {
    await build(file, options);
  } catch (error) {
    await removeLab(dataDir);
    throw error;
  }
  return labOf(file);
}

/** Opens the running lab in a folder. */
export async function openLab(dataDir: string): Promise<Lab> {
  const state = await readState(path.resolve(dataDir));
  if (state?.kind !== 'bare') throw new Error(`there is no lab of bare hosts in ${dataDir}`);
  return labOf(new StateFile(path.resolve(dataDir), state));
}

async function build(file: StateFile, options: LabOptions): Promise<void> {
  const { dataDir, state } = file;
  const { bridge = '', subnet = '' } = state;
  const log = options.log ?? (() => undefined);
  await createBridge(bridge, subnet);
  await createIdentity(dataDir, options.name);
  if (state.hosts.some(({ reach }) => reach === 'tls')) await createTlsIdentity(dataDir, options.name);
  log(`network ${subnet}.0/24 on ${bridge}`);
  await file.update({ registryProcess: await startRegistry(dataDir, state.registry) });
  log(`registry ${state.registry}`);
  const seed = seedImages({
    dataDir,
    registry: state.registry,
    images: options.seed ?? [],
    log,
    onRelay: (relay) => file.update({ relay }),
  });
  const layers = options.layers ? await layersOf(options.seed ?? []) : undefined;
  const parts = await Promise.allSettled([
    seed.then((images) => file.update({ images })),
    ...state.hosts.map(async (host) => {
      const { name, namespace, cable, address } = host;
      await connectHost({ namespace, cable, bridge, address });
      if (layers?.ready && takesLayers(host)) await addLayers(layers, dataRoot(dataDir, name), state.registry);
      await startHost(file, name);
      log(`host ${name} ${address}`);
      const { node } = name === builderName ? await seed : {};
      if (node === undefined) return;
      await execInHost(file, name, ['docker', 'pull', '--quiet', node], { timeout: 120_000 });
      await execInHost(file, name, ['docker', 'tag', node, baseImages.node]);
      log(`host ${name} has the Node.js image`);
    }),
  ]);
  // A failure must wait until all have ended: a host still starting would outlive the removal.
  for (const part of parts) if (part.status === 'rejected') throw part.reason;
  if (layers?.ready === false && engineOfLabs() === undefined) await keepBuilderLayers(file, layers);
  for (const environment of Object.keys(options.environments)) await formSwarm(file, environment);
  await writeKnownHosts(file);
}

/** Layers are kept as the machine's own engine keeps them on a disk. */
function takesLayers({ disk, engine, remapsUsers }: HostState): boolean {
  return disk === undefined && engine === undefined && !remapsUsers;
}

/** Keeps layers for later labs: the builder has only the images it needs, so it pulls the others. */
async function keepBuilderLayers(file: StateFile, layers: Layers): Promise<void> {
  const onBuilder = (...words: string[]) => execInHost(file, builderName, ['docker', ...words], { timeout: 120_000 });
  for (const image of Object.values(file.state.images)) await onBuilder('pull', '--quiet', image);
  const driver = (await onBuilder('info', '--format', '{{.Driver}}')).trim();
  await stopEngine(file, builderName);
  await keepLayers(layers, dataRoot(file.dataDir, builderName), driver, file.state.registry);
  await startEngine(file, builderName);
}

function plan(options: LabOptions, subnet: string): LabState {
  const { name } = options;
  const wanted = Object.entries(options.environments).flatMap(([environment, described]) => {
    const { hosts, managers, ...each } = described;
    return Array.from({ length: hosts }, (_, index) => ({
      name: `${environment}-${index + 1}`,
      environment,
      ...each,
      ...(managers === undefined ? {} : { node: index < managers ? ('manager' as const) : ('worker' as const) }),
    }));
  });
  const ofAll = engineOfLabs();
  const hosts = [...wanted, { name: builderName, reach: 'unix' as const }].map((host, index): HostState => ({
    ...(ofAll === undefined ? {} : { engine: ofAll }),
    ...host,
    address: `${subnet}.${index + 11}`,
    namespace: `${name}-${host.name}`,
    cable: `${name}-v${index + 1}`,
  }));
  return { kind: 'bare', name, bridge: `${name}-br`, subnet, registry: `${subnet}.1:5000`, hosts, images: {} };
}

function check({ name, dataDir, environments }: LabOptions): void {
  if (process.getuid?.() !== 0) throw new Error('a lab of bare hosts needs root on Linux');
  if (!/^[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?$/.test(name)) {
    throw new Error(`the lab's name \`${name}\` must be one to ten of a-z, 0-9 and hyphens`);
  }
  const longest = Math.max(...Object.keys(environments).map((environment) => `${environment}-99`.length));
  // A unix socket's path ends after 107 bytes; a longer one would be cut without a warning.
  if (path.resolve(dataDir).length + longest + '/.sock'.length > 100) {
    throw new Error(`${dataDir} is too long a path for the sockets of the lab's engines`);
  }
  if (path.resolve(dataDir).startsWith('/run/')) throw new Error('the lab cannot lie in /run: each host has its own');
  if (existsSync(dataDir) && readdirSync(dataDir).length > 0) {
    throw new Error(`${dataDir} is not empty: remove the lab in it first, or take another folder`);
  }
}

function labOf(file: StateFile): Lab {
  const { dataDir } = file;
  const hosts = file.state.hosts.filter((host) => host.environment !== undefined).map((host) => hostOf(file, host));
  return {
    name: file.state.name,
    dataDir,
    registry: file.state.registry,
    builder: {
      dockerHost: `unix://${hostSocket(dataDir, builderName)}`,
      address: hostState(file, builderName).address,
    },
    hosts,
    images: file.state.images,
    knownHosts: knownHostsFile(dataDir),
    host: (name) => {
      const found = hosts.find((host) => host.name === name);
      if (!found) throw new Error(`the lab has no host ${name}; it has ${hosts.map((host) => host.name).join(', ')}`);
      return found;
    },
    stopRegistry: async () => {
      for (const { pid } of await findRegistries(dataDir)) process.kill(pid, 'SIGKILL');
    },
    startRegistry: async () => {
      await file.update({ registryProcess: await startRegistry(dataDir, file.state.registry) });
    },
    remove: () => removeLab(dataDir),
  };
}

function hostOf(file: StateFile, host: HostState): BareHost {
  const { name, address, hostKey } = host;
  const dockerHost = `unix://${hostSocket(file.dataDir, name)}`;
  // The engine's own rules stay as they are: these two come first and are removed later.
  const cut = ['INPUT', 'FORWARD'].map((chain) => [chain, '-i', 'eth0', '-j', 'DROP']);
  cut.push(['OUTPUT', '-o', 'eth0', '-j', 'DROP'], ['FORWARD', '-o', 'eth0', '-j', 'DROP']);
  const firewall = async (action: string) => {
    for (const rule of cut) await execInHost(file, name, ['iptables', '-w', '10', action, ...rule]);
  };
  return {
    name,
    environment: host.environment ?? '',
    ...(host.node === undefined ? {} : { node: host.node }),
    address,
    dockerHost,
    url: { unix: dockerHost, ssh: `ssh://root@${address}`, tls: tlsUrl(address) }[host.reach],
    ...(host.reach === 'ssh' ? { identity: identityFile(file.dataDir) } : {}),
    ...(host.reach === 'tls' ? { tls: clientFiles(file.dataDir) } : {}),
    ...(hostKey === undefined ? {} : { hostKey }),
    exec: (argv, options) => execInHost(file, name, argv, options),
    stopDocker: (options) => stopEngine(file, name, options?.crash),
    startDocker: async (engine) => {
      if (engine !== undefined) await file.updateHost(name, { engine });
      await startEngine(file, name);
    },
    cutPower: () => cutPower(file, name),
    restorePower: () => restorePower(file, name),
    unplug: () => firewall('-I'),
    plug: () => firewall('-D'),
  };
}

async function writeKnownHosts(file: StateFile): Promise<void> {
  await mkdir(path.dirname(knownHostsFile(file.dataDir)), { recursive: true, mode: 0o700 });
  const lines = file.state.hosts.flatMap(({ knownHost }) => (knownHost === undefined ? [] : [`${knownHost}\n`]));
  await writeFile(knownHostsFile(file.dataDir), lines.join(''));
}
