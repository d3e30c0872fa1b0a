import { setTimeout as sleep } from 'node:timers/promises';
import { LockageError } from '../../../pipelines/errors.ts';
import { fingerprint } from '../../../pipelines/model/fingerprint.ts';
import { environmentNames } from '../../../pipelines/model/names.ts';
import type { ProviderContext } from '../../context/provider-context.ts';
import type { ContainerBody, Engine } from '../../docker/api/client.ts';
import { caddyConfig } from '../../edge/caddy-config.ts';
import { edgeScript } from '../../edge/script.ts';
import type { EdgeLimits } from '../../../pipelines/model/environment.ts';
import type { EdgeInputs, Place } from '../../resources/inputs.ts';
import { logConfig, restartPolicies } from '../container/create-request.ts';
import { lastLogLines } from '../last-lines.ts';
import {
  ensureStanding,
  removeStanding,
  standingLabels,
  type StandingContainer,
  type Waiting,
} from './standing-container.ts';

/** Milliseconds for a new edge to answer on all its ports. */
const answerTimeout = 15_000;
/** Milliseconds that requests get to end when an edge is stopped: its ports are closed meanwhile. */
const grace = 5000;

/** The settings of an edge besides its image. */
export type EdgeSetting = Place & Pick<EdgeInputs, 'ports' | 'trusted' | 'proxies' | 'limits'>;

/** Makes the edge proxy of a host what it has to be. Throws LockageError. */
export async function ensureEdge(context: ProviderContext, inputs: EdgeInputs): Promise<void> {
  if (inputs.leaves) return;
  await ensureStanding(context, standingEdge(inputs));
}

/** Returns an edge proxy as it has to be on its host. */
export function standingEdge(inputs: EdgeInputs): StandingContainer {
  const { app, environment, host, image, spec } = inputs;
  const { edge: name } = environmentNames(app, environment);
  const body = { ...edgeBody(inputs), Labels: standingLabels(inputs, 'edge', inputs) };
  const works = (engine: Engine, { signal }: Waiting) => untilEdgeAnswers(engine, name, signal);
  return { app, environment, host, what: 'edge proxy', name, image, body, spec, grace, works };
}

/** Removes it. */
export async function removeEdge(context: ProviderContext, inputs: EdgeInputs): Promise<void> {
  const { edge: name } = environmentNames(inputs.app, inputs.environment);
  await removeStanding(context, inputs, { name, grace });
}

/** Returns the hash of an edge that is made of an image. */
export function edgeSpecOf(image: string, setting: EdgeSetting): string {
  return fingerprint({ image, body: edgeBody(setting) });
}

/** Returns the Engine API's create request for an edge, without its image and labels. */
export function edgeBody(setting: EdgeSetting): ContainerBody {
  const { network, live } = environmentNames(setting.app, setting.environment);
  const ports = setting.ports.map((port) => `${port}/tcp`);
  return {
    ...edgeProcess(setting),
    ExposedPorts: Object.fromEntries(ports.map((port) => [port, {}])),
    StopTimeout: grace / 1000,
    HostConfig: {
      ...edgeHardening(setting),
      NetworkMode: network,
      // The name of a container that has ended is asked for nowhere else, which would take seconds.
      DnsOptions: ['ndots:1'],
      PortBindings: Object.fromEntries(
        setting.ports.map((port) => [`${port}/tcp`, [{ HostIp: '0.0.0.0', HostPort: String(port) }]]),
      ),
      Mounts: [{ Type: 'volume', Source: live, Target: '/live' }] as never,
      Tmpfs: { '/tmp': 'rw,size=16m' },
      RestartPolicy: restartPolicies.serves,
      LogConfig: logConfig(30 * 2 ** 20),
    },
    NetworkingConfig: { EndpointsConfig: { [network]: { Aliases: ['edge'] } } },
  };
}

/**
 * Returns the limits of an edge, also of one that is tried. No share of the processor is held back from it unless that is
 * set. Connections beyond what its memory is enough for wait in the kernel.
 */
export function edgeHardening({ limits }: Pick<EdgeSetting, 'limits'>) {
  const memory = memoryOf(limits);
  const enough = Math.max(Math.floor(memoryForVisitors(limits) / memoryOfFile), 2 * connectionsOf(limits));
  const files = Math.min(mostFiles, enough + ownFiles);
  return {
    ReadonlyRootfs: true,
    CapDrop: ['ALL'],
    CapAdd: ['CAP_NET_BIND_SERVICE'],
    SecurityOpt: ['no-new-privileges'],
    Memory: memory,
    MemorySwap: memory,
    ...(limits?.cpus === undefined ? {} : { NanoCpus: Math.round(limits.cpus * 1e9) }),
    Ulimits: [{ Name: 'nofile', Soft: files, Hard: files }],
    PidsLimit: mostThreads,
    Init: true,
  };
}

/**
 * Bytes of an edge without a visitor: the pages of Caddy's program that it works with, its script, and what Go has from the
 * start. Where connections are given these too, the kernel reads the program from the disk again and again, and nobody is
 * answered any more, also when all visitors have gone.
 */
const memoryOfProgram = 40 * 2 ** 20;
const memoryAtStart = 12 * 2 ** 20;

/** Bytes that an edge needs for a connection, and for a request under way with both of its connections. */
const memoryOfFile = 36 * 2 ** 10;
const memoryOfRequest = 176 * 2 ** 10;

/** Returns the bytes from which Go collects what is no longer used at any price; the kernel has a part for connections. */
function memoryOfGo(limits: EdgeLimits | undefined): number {
  return Math.floor((memoryOf(limits) - memoryOfProgram) * 0.9);
}

function memoryForVisitors(limits: EdgeLimits | undefined): number {
  return memoryOfGo(limits) - memoryAtStart;
}

/** Open files that Caddy has besides connections, and as many as any Linux allows. */
const ownFiles = 64;
const mostFiles = 500_000;

/** Caddy has one for each processor, and one for each file that it waits for. */
const mostThreads = 4096;

function connectionsOf(limits: EdgeLimits | undefined): number {
  return limits?.connections ?? Math.floor(memoryForVisitors(limits) / memoryOfRequest);
}

function memoryOf(limits: EdgeLimits | undefined): number {
  return limits?.memory ?? 256 * 2 ** 20;
}

/**
 * Returns how an edge is started. An upload would need a writable root file system, so the edge's own two files come in its
 * environment and are written to its volume. They are Lockage's, nothing of a user's is in them.
 */
export function edgeProcess(setting: Pick<EdgeSetting, 'ports' | 'trusted' | 'proxies' | 'limits'>) {
  const { ports, trusted, proxies = [], limits } = setting;
  const trustedProxies = [...(trusted === undefined ? [] : [trusted]), ...proxies];
  const parts =
    caddyConfig(ports, { trustedProxies, connections: connectionsOf(limits) }).match(
      new RegExp(`.{1,${longestVariable}}`, 'gsu'),
    ) ?? [];
  const names = parts.map((_, index) => `EDGE_CONFIG_${index}`);
  const config = names.map((name) => `"$${name}"`).join(' ');
  const start = `printf %s "$EDGE_SCRIPT" > /live/edge.sh; printf %s ${config} > /live/caddy.json; exec sh /live/edge.sh run`;
  return {
    Entrypoint: ['sh', '-c', start],
    Env: [
      `EDGE_SCRIPT=${edgeScript}`,
      // Else Go lets its memory double before it looks what is no longer used.
      `GOMEMLIMIT=${memoryOfGo(limits)}`,
      ...parts.map((part, index) => `${names[index]}=${part}`),
      `${portsVariable}=${ports.join(' ')}`,
    ],
  };
}

/** Linux takes no variable of 128 KiB. */
const longestVariable = 100_000;

const portsVariable = 'EDGE_PORTS';

/** Waits until an edge answers inside, on all the ports that it was made with. Throws LockageError with its last lines. */
export async function untilEdgeAnswers(engine: Engine, name: string, signal?: AbortSignal): Promise<void> {
  const end = performance.now() + answerTimeout;
  for (;;) {
    const details = await engine.inspectContainer(name);
    if (!details) throw new LockageError(`${engine.host}: ${name} is gone`);
    const { Image: image, Env: env } = details.Config;
    const ports = portsIn(env);
    if (!details.State.Running) {
      throw await failed(
        engine,
        name,
        `the edge proxy of image ${image} ended with exit code ${details.State.ExitCode}`,
      );
    }
    if (await answers(engine, name, ports)) return;
    if (performance.now() > end) {
      throw await failed(engine, name, `the edge proxy of image ${image} does not answer on port ${ports.join(', ')}`);
    }
    await sleep(100, undefined, { signal });
  }
}

function portsIn(env: readonly string[]): string[] {
  const found = env.find((line) => line.startsWith(`${portsVariable}=`))?.slice(portsVariable.length + 1);
  return (found ?? '').split(' ').filter((port) => port !== '');
}

async function answers(engine: Engine, name: string, ports: readonly string[]): Promise<boolean> {
  const asks = ports.map((port) => `nc -w 2 127.0.0.1 ${port} </dev/null >/dev/null 2>&1`);
  const script = [...asks, 'true'].join(' && ');
  const { code } = await engine.exec(name, ['sh', '-c', script], { deadline: 10_000 }).catch(() => ({ code: 1 }));
  return code === 0;
}

async function failed(engine: Engine, name: string, what: string): Promise<LockageError> {
  return new LockageError(`${engine.host}: ${what}`, {
    details: await lastLogLines(engine, name),
    hint: 'Name an image with Caddy and a shell as `edge.image`, or leave it out.',
  });
}
