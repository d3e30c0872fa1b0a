/** The engine that Docker's own command line uses here, and what can run on it. */
import { readFile, readdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { LockageError } from '../../pipelines/errors.ts';
import { traitsOf } from '../../pipelines/hosts/parity.ts';
import { endpointOf, hostname } from '../../pipelines/model/endpoint.ts';
import type { Traits } from '../../pipelines/model/host-traits.ts';
import type { Host } from '../../pipelines/model/target.ts';
import type { HereFacts } from '../../pipelines/planning/plan-reproduction.ts';
import type { Engine } from '../docker/api/client.ts';
import { containerName } from '../docker/api/names.ts';
import { engineFacts } from '../docker/engine-facts.ts';
import { isOwnedBy } from '../docker/labels.ts';
import type { Place } from '../resources/inputs.ts';
import { childEnvironment, variablesFor } from '../system/environment.ts';
import { runToEnd } from '../system/process.ts';

/** The name of its host. */
const here = 'here';
const usualEngine = 'unix:///var/run/docker.sock';
const contextTimeout = 10_000;

/** Returns the host of the engine that `docker` uses: that of `DOCKER_HOST`, else of its current context. Throws LockageError. */
export async function engineAtHand(variables: NodeJS.ProcessEnv): Promise<Host> {
  const url = variables['DOCKER_HOST'] || (await contextUrl()) || usualEngine;
  const certificates = variables['DOCKER_CERT_PATH'];
  const tls = certificates && {
    ca: join(certificates, 'ca.pem'),
    cert: join(certificates, 'cert.pem'),
    key: join(certificates, 'key.pem'),
  };
  const endpoint = endpointOf(here, { url, ...(tls && url.startsWith('tcp:') ? { tls } : {}) });
  return { kind: 'host', name: here, address: hostname(endpoint) ?? '127.0.0.1', endpoint };
}

/** Undefined where Docker's command line is not there: an engine needs none. */
async function contextUrl(): Promise<string | undefined> {
  const words = ['context', 'inspect', '--format', '{{.Endpoints.docker.Host}}'];
  const env = childEnvironment(variablesFor('docker'));
  const ended = await runToEnd('docker', words, contextTimeout, { env }).catch((error: unknown) => {
    if (error instanceof LockageError) return undefined;
    throw error;
  });
  return ended?.code === 0 ? ended.stdout.trim() : undefined;
}

/** The facts of an engine that count for a reproduction. */
export interface EngineReport {
  readonly facts: HereFacts;
  readonly traits: Traits;
}

/** Asks an engine what a reproduction there has to know. Ports of the reproduction itself are not taken. Throws EngineError. */
export async function askEngine(
  engine: Engine,
  host: Host,
  place: Place,
  ports: readonly number[],
): Promise<EngineReport> {
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
  // Only where the engine's ports are this computer's can they be tried here.
  if (host.endpoint.kind === 'unix') {
    for (const port of await heldHere(ports.filter((each) => !taken.has(each) && !own.has(each)))) {
      taken.set(port, 'another program of this computer');
    }
  }
  return {
    facts: {
      platform: `${version.Os}/${version.Arch}`,
      emulates: await emulated(host, info.OperatingSystem),
      taken,
    },
    traits: traitsOf(engineFacts(version, info)),
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

/** The processors that engines of desktops emulate in their virtual machine. */
const desktops = /^(Docker Desktop|OrbStack)/;
/** What the kernel's list of other programs calls processors, as engines name them. */
const processors: Readonly<Record<string, string>> = {
  aarch64: 'arm64',
  x86_64: 'amd64',
  arm: 'arm',
  riscv64: 'riscv64',
};

/** Returns the platforms that an engine emulates, as far as can be told without starting anything. */
async function emulated(host: Host, system: string): Promise<string[]> {
  if (desktops.test(system)) return ['linux/amd64', 'linux/arm64'];
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
