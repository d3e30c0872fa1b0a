/**
 * The front of an environment: one address for all its machines. HAProxy listens there on this computer and spreads
 * requests over the machines that answer. Other machines are told to the process that runs, so no connection of a
 * client ends for it; other ports, or another address, take another process, which gets the sockets of the one before.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LockageError } from '../../../pipelines/errors.ts';
import type { LoadBalancerInputs, Place, Backend } from '../../resources/inputs.ts';
import { askProcess, askSlots, sendCommands, type RunningProcess, type Slot } from './admin.ts';
import { haproxyConfig, sectionOf, backendsAt, shapeOf, type LoadBalancerTarget } from './haproxy-config.ts';
import { accepts, configFile, endProcesses, processesOf, refuseTaken, startProcess } from './process.ts';
import type { MachineFolders } from '../../system/state-folders.ts';
import { writeAtomic } from '../../system/atomic-file.ts';
import { withFileLock } from '../../system/file-lock.ts';
import { folderIn } from '../../system/folder-in.ts';
import { canonicalJson } from '../../../pipelines/model/fingerprint.ts';

/** Milliseconds. */
const timeouts = { lock: 120_000, answer: 10_000, drain: 30_000 };

/** A load balancer as it shall be. */
export interface LoadBalancerSpec extends LoadBalancerTarget {
  /** a folder of its own, which goes with it */
  readonly home: string;
  readonly app: string;
  readonly environment: string;
}

/** A load balancer as it is. */
export interface LoadBalancerState {
  /** `stopped`: its process does not answer */
  readonly state: 'running' | 'stopped' | 'absent';
  readonly address?: string;
  readonly ports: readonly number[];
  readonly servers: readonly (Backend & { readonly healthy: boolean })[];
}

/** What a load balancer's folder says of it. */
type Manifest = Omit<LoadBalancerSpec, 'home'>;

/**
 * Makes a load balancer, starts it, or changes it to be as wanted, and waits until it accepts connections. Safe to repeat, also
 * after a run that was killed. Machines that do not answer yet get requests once they do.
 * Throws LockageError, also when a stranger listens there.
 */
export async function applyLoadBalancer(spec: LoadBalancerSpec): Promise<void> {
  await locked(spec.home, () => apply(spec));
}

/**
 * Sends requests to other machines from one moment on; no connection of a client ends for it. Resolves when those that
 * left have no request under way, or `drain` milliseconds are over. Throws LockageError when a machine that is new does
 * not answer within `answer` milliseconds: nothing has changed then.
 */
export async function moveBackends(
  spec: LoadBalancerSpec,
  options: { drain?: number; answer?: number } = {},
): Promise<void> {
  const { drain, answer } = { ...timeouts, ...options };
  await locked(spec.home, async () => {
    await untilNewAnswer(spec, answer);
    await apply(spec);
    await untilDrained(spec, drain);
  });
}

/** The folder of an environment's load balancer. */
export function loadBalancerFolder(places: MachineFolders, { environment }: Pick<Place, 'environment'>): string {
  return folderIn(places.loadBalancers, environment);
}

/** Makes an environment's load balancer what it shall be, or starts it. It leads where it led before, unless `servers` are told. */
export async function ensureLoadBalancer(
  places: MachineFolders,
  inputs: LoadBalancerInputs,
  servers?: readonly Backend[],
): Promise<void> {
  const home = loadBalancerFolder(places, inputs);
  await applyLoadBalancer({ ...inputs, home, servers: servers ?? (await readManifest(home))?.servers ?? [] });
}

/**
 * Lets an environment's load balancer lead to these machines and no others: see `moveBackends`. Nothing happens where it does, or where
 * there is none.
 */
export async function setBackends(
  places: MachineFolders,
  place: Pick<Place, 'environment'>,
  machines: readonly Backend[],
): Promise<void> {
  const home = loadBalancerFolder(places, place);
  // A host is more than what the load balancer has to know of it.
  const servers = machines.map(({ name, address, ports }) => ({ name, address, ...(ports ? { ports } : {}) }));
  const [mark, slots] = await Promise.all([readManifest(home), askSlots(home).catch(() => undefined)]);
  if (!mark) return;
  // A run that was killed may have told the process something else than the folder says.
  const isSo = slots && misplaced(slots, mark.ports, servers).length === 0;
  if (isSo && canonicalJson(mark.servers) === canonicalJson(servers)) return;
  await moveBackends({ ...mark, home, servers });
}

/** Whether a load balancer runs, and to which machines it sends. */
export async function loadBalancerState(home: string): Promise<LoadBalancerState> {
  const mark = await readManifest(home);
  if (!mark) return { state: 'absent', ports: [], servers: [] };
  const { address, ports, servers } = mark;
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

/** Ends a load balancer, with what it has under way, and removes its files. One that is gone is fine. */
export async function removeLoadBalancer(home: string): Promise<void> {
  if (!existsSync(home) && (await processesOf(home)).length === 0) return;
  await locked(home, async () => {
    await endProcesses(home);
    await rm(home, { recursive: true, force: true });
  });
}

async function apply(spec: LoadBalancerSpec): Promise<void> {
  const { home, address, ports, servers } = spec;
  await refuseStranger(spec);
  const user = process.getuid?.() === 0 ? 'haproxy' : undefined;
  const running = await askProcess(home);
  // One that does not answer would hold the ports.
  if (!running) await endProcesses(home);
  await refuseTaken(address, await newPorts(spec, running));
  await writeAtomic(configFile(home), haproxyConfig(spec, user));
  if (running) await retarget(home, ports, servers);
  if (running?.shape !== shapeOf(spec, user)) await startProcess(home, running?.pid);
  // The mark comes last: what it names is what is served, or was when the process ended.
  const { home: _, ...mark } = spec;
  await writeAtomic(manifestFile(home), `${JSON.stringify(mark)}\n`);
  const answers = await until(timeouts.answer, () => allOf(ports, (port) => accepts(address, port)));
  if (!answers) throw new LockageError(`the load balancer does not answer at ${address}, ports ${ports.join(', ')}`);
}

/** The ports that the running process does not listen on. */
async function newPorts(
  { home, address, ports }: LoadBalancerSpec,
  running?: RunningProcess,
): Promise<readonly number[]> {
  if (running?.address !== address) return ports;
  const sections = new Set((await askSlots(home)).map(({ section }) => section));
  return ports.filter((port) => !sections.has(sectionOf(port)));
}

/** New machines first and then off with the old ones, in one breath for each port. */
async function retarget(home: string, ports: readonly number[], servers: readonly Backend[]): Promise<void> {
  const slots = await askSlots(home);
  for (const port of ports) {
    const here = slots.filter(({ section }) => section === sectionOf(port));
    // A port that the process does not have yet comes with the next one.
    if (here.length === 0) continue;
    const wanted = backendsAt(servers, port);
    const arriving = wanted.filter((server) => !here.some((slot) => !slot.resting && isAt(slot, server, port)));
    const leaving = here.filter((slot) => !slot.resting && !wanted.some((server) => isAt(slot, server, port)));
    const free = here.filter(({ resting, busy }) => resting && busy === 0);
    const added = await Promise.all(arriving.map((server, index) => addBackend(server, port, free[index])));
    const commands = [...added.flat(), ...leaving.map((slot) => `set server ${nameOf(slot)} state maint`)];
    if (commands.length > 0) await sendCommands(home, commands);
  }
  const wrong = misplaced(await askSlots(home), ports, servers);
  if (wrong.length > 0) throw new Error(`the load balancer in ${home} did not take over: ${wrong.join(', ')}`);
}

async function addBackend({ address }: Backend, port: number, slot: Slot | undefined): Promise<string[]> {
  if (!slot)
    throw new LockageError('the load balancer has no place for another machine', { hint: 'Try again in a minute.' });
  const name = nameOf(slot);
  // One that enters counts as healthy until it was asked, so it is asked before.
  const answers = await accepts(address, port);
  return [
    `set server ${name} addr ${address} port ${port}`,
    `set server ${name} state ready`,
    ...(answers ? [] : [`set server ${name} health down`]),
  ];
}

/** Machines that should be served, and are not; places that should rest, and do not. */
function misplaced(slots: readonly Slot[], ports: readonly number[], servers: readonly Backend[]): string[] {
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

/** Resting places without a request, and no process of before. */
async function untilDrained({ home }: LoadBalancerSpec, drain: number): Promise<void> {
  await until(drain, async () => {
    const [slots, processes] = await Promise.all([askSlots(home), processesOf(home)]);
    return processes.length === 1 && slots.every(({ resting, busy }) => !resting || busy === 0);
  });
}

async function refuseStranger({ home, app, environment }: LoadBalancerSpec): Promise<void> {
  const mark = await readManifest(home);
  if (!mark || (mark.app === app && mark.environment === environment)) return;
  throw new LockageError(`the load balancer in ${home} is of ${mark.app} ${mark.environment}`, {
    hint: 'Look whose it is, and move it away; then run the same command again.',
  });
}

function isAt({ section, target }: Slot, { address }: Backend, port: number): boolean {
  return section === sectionOf(port) && target === `${address}:${port}`;
}

function nameOf({ section, name }: Slot): string {
  return `${section}/${name}`;
}

async function locked<T>(home: string, work: () => Promise<T>): Promise<T> {
  await mkdir(path.dirname(home), { recursive: true, mode: 0o700 });
  return withFileLock(`${home}.lock`, timeouts.lock, work);
}

async function until(wait: number, done: () => Promise<boolean>): Promise<boolean> {
  for (const end = Date.now() + wait; ; await sleep(50)) {
    if (await done()) return true;
    if (Date.now() > end) return false;
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
