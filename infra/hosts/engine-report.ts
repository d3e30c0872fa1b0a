import { readFile, readdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { traitsOf } from '../../pipelines/hosts/parity.ts';
import type { Traits } from '../../pipelines/model/host-traits.ts';
import type { Host } from '../../pipelines/model/target.ts';
import type { HereFacts } from '../../pipelines/planning/plan-reproduction.ts';
import type { Engine } from '../docker/api/client.ts';
import { containerName } from '../docker/api/names.ts';
import { engineFacts } from '../docker/engine-facts.ts';
import { isOwnedBy } from '../docker/labels.ts';
import type { SshLink } from '../docker/ssh/ssh.ts';
import type { Place } from '../resources/inputs.ts';

/** The facts of an engine that count for a reproduction. */
export interface EngineReport {
  readonly facts: HereFacts;
  readonly traits: Traits;
  /** seconds since 1970, by its host's clock */
  readonly clock: number;
  readonly isInSwarm: boolean;
}

/** What is asked of an engine on behalf of a reproduction. */
export interface EngineQuestion {
  readonly host: Host;
  readonly place: Place;
  /** the ports that it may come to have */
  readonly ports: readonly number[];
  /** the machine itself, where it is reached by ssh */
  readonly link?: Pick<SshLink, 'script'> | undefined;
}

/** Asks an engine what a reproduction there has to know. Ports of the reproduction itself are not taken. Throws EngineError. */
export async function askEngine(engine: Engine, { host, place, ports, link }: EngineQuestion): Promise<EngineReport> {
  const [version, info, containers] = await Promise.all([
    engine.version(),
    engine.info(),
    engine.listContainers({ all: true }),
  ]);
  const taken = new Map<number, string>();
  for (const container of containers) {
    if (isOwnedBy(container.Labels, place)) continue;
    for (const { PublicPort } of container.Ports) {
      if (PublicPort) taken.set(PublicPort, `container ${containerName(container)}`);
    }
  }
  const own = new Set(
    containers
      .filter(({ Labels }) => isOwnedBy(Labels, place))
      .flatMap(({ Ports }) => Ports.map(({ PublicPort }) => PublicPort)),
  );
  const others = ports.filter((each) => !taken.has(each) && !own.has(each));
  // Only where the engine's ports are this computer's can they be tried here.
  const held = host.endpoint.kind === 'unix' ? await heldHere(others) : await heldThere(others, link);
  const holder = `another program of ${host.endpoint.kind === 'unix' ? 'this computer' : host.name}`;
  for (const port of held) taken.set(port, holder);
  return {
    facts: {
      platform: `${version.Os}/${version.Arch}`,
      emulates: await emulated(host, info.OperatingSystem),
      taken,
    },
    traits: traitsOf(engineFacts(version, info)),
    clock: Date.parse(info.SystemTime) / 1000,
    isInSwarm: (info.Swarm?.LocalNodeState ?? 'inactive') !== 'inactive',
  };
}

async function heldHere(ports: readonly number[]): Promise<number[]> {
  const held = await Promise.all(ports.map(async (port) => ((await isHeld(port)) ? [port] : [])));
  return held.flat();
}

/** Returns whether another program listens at a port. A port that only root may open is none of these. */
function isHeld(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EADDRINUSE'));
    server.listen({ port, host: '0.0.0.0', exclusive: true }, () => server.close(() => resolve(false)));
  });
}

const listTimeout = 10_000;
/** What the kernel calls a port that somebody listens at, in `/proc/net/tcp`: address and port, both hexadecimal, and the state. */
const listening = /^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:0000 0A /;

/** Returns the ports that programs of a machine listen at; none where it does not say: whatever cannot be had is refused later. */
async function heldThere(ports: readonly number[], link: EngineQuestion['link']): Promise<number[]> {
  if (!link || ports.length === 0) return [];
  const asked = link.script('cat /proc/net/tcp /proc/net/tcp6', [], { deadline: listTimeout });
  const { stdout } = await asked.catch(() => ({ stdout: '' }));
  const held = new Set(stdout.split('\n').map((line) => Number.parseInt(listening.exec(line)?.[1] ?? '', 16)));
  return ports.filter((port) => held.has(port));
}

/** Engines of desktops, whose virtual machines emulate processors. */
const desktops = /^(Docker Desktop|OrbStack)/;

/** Returns whether an engine runs in a virtual machine of its own, by the name of its system. */
export function isDesktop(system: string): boolean {
  return desktops.test(system);
}

/** What the kernel's list of other programs calls processors, as engines name them. */
const processors: Readonly<Record<string, string>> = {
  aarch64: 'arm64',
  x86_64: 'amd64',
  arm: 'arm',
  riscv64: 'riscv64',
};

/** Returns the platforms that an engine emulates, as far as can be told without starting anything. */
async function emulated(host: Host, system: string): Promise<string[]> {
  if (isDesktop(system)) return ['linux/amd64', 'linux/arm64'];
  if (host.endpoint.kind !== 'unix' || process.platform !== 'linux') return [];
  const folder = '/proc/sys/fs/binfmt_misc';
  const names = await readdir(folder).catch(() => []);
  const found = names.map(async (name) => {
    const architecture = processors[/^qemu-(.+)$/.exec(name)?.[1] ?? ''];
    const text = await readFile(join(folder, name), 'utf8').catch(() => '');
    return architecture && text.startsWith('enabled') ? [`linux/${architecture}`] : [];
  });
  return (await Promise.all(found)).flat();
}
