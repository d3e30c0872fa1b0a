/**
 * The load balancer of an environment: one address for all its machines. HAProxy listens there on this computer and
 * spreads requests over the machines that answer. A change of machines is sent to the running process, so no
 * connection of a client ends for it; other ports, or another address, need a new process, which takes over the
 * sockets of the old one.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LockageError } from '../../../pipelines/errors.ts';
import { canonicalJson } from '../../../pipelines/model/fingerprint.ts';
import type { LoadBalancerInputs, Place, Backend } from '../../resources/inputs.ts';
import { writeAtomic } from '../../system/atomic-file.ts';
import { withFileLock } from '../../system/file-lock.ts';
import { folderIn } from '../../system/folder-in.ts';
import type { MachineFolders } from '../../system/state-folders.ts';
import { askProcess, askSlots, sendCommands, type RunningProcess, type Slot } from './admin.ts';
import { haproxyConfig, sectionOf, backendsAt, shapeOf, type LoadBalancerTarget } from './haproxy-config.ts';
import { accepts, configFile, endProcesses, processesOf, refuseTaken, startProcess } from './process.ts';

/** Milliseconds. */
const timeouts = { lock: 120_000, answer: 10_000, drain: 30_000 };

/** The wanted load balancer. */
export interface LoadBalancerSpec extends LoadBalancerTarget {
  /** a folder of its own, which is removed with it */
  readonly home: string;
  readonly app: string;
  readonly environment: string;
}

/** The current state of a load balancer. */
export interface LoadBalancerState {
  /** `stopped`: its process does not answer */
  readonly state: 'running' | 'stopped' | 'absent';
  readonly address?: string;
  readonly ports: readonly number[];
  readonly servers: readonly (Backend & { readonly healthy: boolean })[];
}

/** The record of a load balancer in its folder. */
type Manifest = Omit<LoadBalancerSpec, 'home'>;

/**
 * Makes a load balancer, starts it, or changes it to match the spec, and waits until it accepts connections. Safe to
 * repeat, also after a run that was killed. Machines that do not answer yet get requests once they do. Throws
 * LockageError, also when a stranger listens there.
 */
export async function applyLoadBalancer(spec: LoadBalancerSpec): Promise<void> {
  await withLoadBalancerLock(spec.home, () => apply(spec));
}

/**
 * Switches requests to other machines at one moment; no connection of a client ends for it. Resolves when the machines
 * that left have no request under way, or after `drain` milliseconds. Throws LockageError when a new machine does not
 * answer within `answer` milliseconds: nothing has changed then.
 */
export async function moveBackends(
  spec: LoadBalancerSpec,
  options: { drain?: number; answer?: number } = {},
): Promise<void> {
  const { drain, answer } = { ...timeouts, ...options };
  await withLoadBalancerLock(spec.home, async () => {
    await untilNewAnswer(spec, answer);
    await apply(spec);
    await untilDrained(spec, drain);
  });
}

/** Returns the folder of an environment's load balancer. */
export function loadBalancerFolder(folders: MachineFolders, { environment }: Pick<Place, 'environment'>): string {
  return folderIn(folders.loadBalancers, environment);
}

/** Makes, changes or starts an environment's load balancer. It keeps the machines it had, unless `servers` is given. */
export async function ensureLoadBalancer(
  folders: MachineFolders,
  inputs: LoadBalancerInputs,
  servers?: readonly Backend[],
): Promise<void> {
  const home = loadBalancerFolder(folders, inputs);
  await applyLoadBalancer({ ...inputs, home, servers: servers ?? (await readManifest(home))?.servers ?? [] });
}

/**
 * Points an environment's load balancer at exactly these machines: see `moveBackends`. Does nothing where it already
 * does, or where there is no load balancer, and returns false then.
 */
export async function setBackends(
  folders: MachineFolders,
  place: Pick<Place, 'environment'>,
  machines: readonly Backend[],
): Promise<boolean> {
  const home = loadBalancerFolder(folders, place);
  // A host has more fields than the load balancer needs.
  const servers = machines.map(({ name, address, ports }) => ({ name, address, ...(ports ? { ports } : {}) }));
  const [manifest, slots] = await Promise.all([readManifest(home), askSlots(home).catch(() => undefined)]);
  if (!manifest) return false;
  // A killed run may have sent the process something else than the folder records.
  const isCurrent = slots && mismatches(slots, manifest.ports, servers).length === 0;
  if (isCurrent && canonicalJson(manifest.servers) === canonicalJson(servers)) return false;
  await moveBackends({ ...manifest, home, servers });
  return true;
}

/** Returns whether a load balancer runs, and the machines it sends requests to. */
export async function loadBalancerState(home: string): Promise<LoadBalancerState> {
  const manifest = await readManifest(home);
  if (!manifest) return { state: 'absent', ports: [], servers: [] };
  const { address, ports, servers } = manifest;
  const slots = await askSlots(home).catch(() => undefined);
  if (!slots)
    return { state: 'stopped', address, ports, servers: servers.map((each) => ({ ...each, healthy: false })) };
  const health = (server: Backend) =>
    ports.every(
      (port) =>
        !backendsAt([server], port).length ||
        slots.some((slot) => isAt(slot, server, port) && !slot.resting && slot.healthy),
    );
  return { state: 'running', address, ports, servers: servers.map((each) => ({ ...each, healthy: health(each) })) };
}

/** Ends a load balancer, with its requests under way, and removes its files. Ignores one that is gone. */
export async function removeLoadBalancer(home: string): Promise<void> {
  if (!existsSync(home) && (await processesOf(home)).length === 0) return;
  await withLoadBalancerLock(home, async () => {
    await endProcesses(home);
    await rm(home, { recursive: true, force: true });
  });
}

async function apply(spec: LoadBalancerSpec): Promise<void> {
  const { home, address, ports, servers } = spec;
  await refuseStranger(spec);
  const user = process.getuid?.() === 0 ? 'haproxy' : undefined;
  const running = await askProcess(home);
  // A process that does not answer would hold the ports.
  if (!running) await endProcesses(home);
  await refuseTaken(address, await newPorts(spec, running));
  await writeAtomic(configFile(home), haproxyConfig(spec, user));
  if (running) await retarget(home, ports, servers);
  if (running?.shape !== shapeOf(spec, user)) await startProcess(home, running?.pid);
  // The manifest comes last: it names what is served, or was when the process ended.
  const { home: _, ...manifest } = spec;
  await writeAtomic(manifestFile(home), `${JSON.stringify(manifest)}\n`);
  const answers = await until(timeouts.answer, () => allOf(ports, (port) => accepts(address, port)));
  if (!answers) throw new LockageError(`the load balancer does not answer at ${address}, ports ${ports.join(', ')}`);
}

/** Returns the ports that the running process does not listen on. */
async function newPorts(
  { home, address, ports }: LoadBalancerSpec,
  running?: RunningProcess,
): Promise<readonly number[]> {
  if (running?.address !== address) return ports;
  const sections = new Set((await askSlots(home)).map(({ section }) => section));
  return ports.filter((port) => !sections.has(sectionOf(port)));
}

/** Adds the new machines first and then takes out the old ones, in one step for each port. */
async function retarget(home: string, ports: readonly number[], servers: readonly Backend[]): Promise<void> {
  const slots = await askSlots(home);
  for (const port of ports) {
    const here = slots.filter(({ section }) => section === sectionOf(port));
    // A port that this process does not have yet comes with the next process.
    if (here.length === 0) continue;
    const wanted = backendsAt(servers, port);
    const arriving = wanted.filter((server) => !here.some((slot) => !slot.resting && isAt(slot, server, port)));
    const leaving = here.filter((slot) => !slot.resting && !wanted.some((server) => isAt(slot, server, port)));
    const free = here.filter(({ resting, busy }) => resting && busy === 0);
    const added = await Promise.all(arriving.map((server, index) => addBackend(server, port, free[index])));
    const commands = [...added.flat(), ...leaving.map((slot) => `set server ${nameOf(slot)} state maint`)];
    if (commands.length > 0) await sendCommands(home, commands);
  }
  const wrong = mismatches(await askSlots(home), ports, servers);
  if (wrong.length > 0) throw new Error(`the load balancer in ${home} did not take over: ${wrong.join(', ')}`);
}

async function addBackend({ address }: Backend, port: number, slot: Slot | undefined): Promise<string[]> {
  if (!slot)
    throw new LockageError('the load balancer has no place for another machine', { hint: 'Try again in a minute.' });
  const name = nameOf(slot);
  // HAProxy counts a new machine as healthy until its first check, so it is checked before.
  const answers = await accepts(address, port);
  return [
    `set server ${name} addr ${address} port ${port}`,
    `set server ${name} state ready`,
    ...(answers ? [] : [`set server ${name} health down`]),
  ];
}

/** Returns machines that should be served but are not, and slots that should be idle but are not. */
function mismatches(slots: readonly Slot[], ports: readonly number[], servers: readonly Backend[]): string[] {
  return ports.flatMap((port) => {
    const active = slots.filter(({ section, resting }) => section === sectionOf(port) && !resting);
    if (!slots.some(({ section }) => section === sectionOf(port))) return [];
    const wanted = backendsAt(servers, port);
    return [
      ...wanted.filter((server) => !active.some((slot) => isAt(slot, server, port))).map(({ name }) => name),
      ...active.filter((slot) => !wanted.some((server) => isAt(slot, server, port))).map(({ target }) => target),
    ];
  });
}

async function untilNewAnswer({ home, ports, servers }: LoadBalancerSpec, wait: number): Promise<void> {
  const slots = await askSlots(home).catch(() => []);
  const pairs = ports.flatMap((port) => backendsAt(servers, port).map((server) => ({ ...server, port })));
  const isKnown = (server: Backend, port: number) => slots.some((slot) => !slot.resting && isAt(slot, server, port));
  const silent = await Promise.all(
    pairs.map(async (pair) => {
      if (isKnown(pair, pair.port)) return [];
      const found = await until(wait, () => accepts(pair.address, pair.port));
      return found ? [] : [`${pair.name} at ${pair.address}:${pair.port}`];
    }),
  );
  if (silent.flat().length === 0) return;
  throw new LockageError('the load balancer stays where it is: not all machines answer', { details: silent.flat() });
}

/** Waits until idle slots have no request, and no earlier process is left. */
async function untilDrained({ home }: LoadBalancerSpec, drain: number): Promise<void> {
  await until(drain, async () => {
    const [slots, processes] = await Promise.all([askSlots(home), processesOf(home)]);
    return processes.length === 1 && slots.every(({ resting, busy }) => !resting || busy === 0);
  });
}

async function refuseStranger({ home, app, environment }: LoadBalancerSpec): Promise<void> {
  const manifest = await readManifest(home);
  if (!manifest || (manifest.app === app && manifest.environment === environment)) return;
  throw new LockageError(`the load balancer in ${home} is of ${manifest.app} ${manifest.environment}`, {
    hint: 'Look whose it is, and move it away; then run the same command again.',
  });
}

function isAt({ section, target }: Slot, { address }: Backend, port: number): boolean {
  return section === sectionOf(port) && target === `${address}:${port}`;
}

function nameOf({ section, name }: Slot): string {
  return `${section}/${name}`;
}

async function withLoadBalancerLock<T>(home: string, work: () => Promise<T>): Promise<T> {
  await mkdir(path.dirname(home), { recursive: true, mode: 0o700 });
  return withFileLock(`${home}.lock`, timeouts.lock, work);
}

async function until(wait: number, done: () => Promise<boolean>): Promise<boolean> {
  for (const end = performance.now() + wait; ; await sleep(50)) {
    if (await done()) return true;
    if (performance.now() > end) return false;
  }
}

async function allOf<T>(items: readonly T[], holds: (item: T) => Promise<boolean>): Promise<boolean> {
  return (await Promise.all(items.map(holds))).every(Boolean);
}

function manifestFile(home: string): string {
  return path.join(home, 'front.json');
}

async function readManifest(home: string): Promise<Manifest | undefined> {
  const text = await readFile(manifestFile(home), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Manifest);
}
