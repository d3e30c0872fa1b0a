/**
 * The front of an environment: one address for all its machines. HAProxy listens there on this computer and spreads
 * requests over the machines that answer. Other machines are told to the process that runs, so no connection of a
 * client ends for it; other ports, or another address, take another process, which gets the sockets of the one before.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LockageError } from '../../../pipelines/errors.ts';
import type { FrontInputs, Place, FrontServer } from '../../resources/inputs.ts';
import { askProcess, askSlots, tell, type RunningFront, type Slot } from './admin.ts';
import { frontConfig, sectionOf, serversAt, shapeOf, type FrontTarget } from './haproxy-config.ts';
import { accepts, configFile, endProcesses, processesOf, refuseTaken, startProcess } from './process.ts';
import type { MachinePlaces } from '../../system/state-folders.ts';
import { withFileLock } from '../../system/file-lock.ts';
import { canonicalJson } from '../../../pipelines/model/fingerprint.ts';

/** Milliseconds. */
const timeouts = { lock: 120_000, answer: 10_000, drain: 30_000 };

/** A front as it shall be. */
export interface FrontSpec extends FrontTarget {
  /** a folder of its own, which goes with it */
  readonly home: string;
  readonly app: string;
  readonly environment: string;
}

/** A front as it is. */
export interface FrontState {
  /** `stopped`: its process does not answer */
  readonly state: 'running' | 'stopped' | 'absent';
  readonly address?: string;
  readonly ports: readonly number[];
  readonly servers: readonly (FrontServer & { readonly healthy: boolean })[];
}

/** What a front's folder says of it. */
type Mark = Omit<FrontSpec, 'home'>;

/**
 * Makes a front, starts it, or changes it to be as wanted, and waits until it accepts connections. Safe to repeat, also
 * after a run that was killed. Machines that do not answer yet get requests once they do.
 * Throws LockageError, also when a stranger listens there.
 */
export async function ensureFront(spec: FrontSpec): Promise<void> {
  await locked(spec.home, () => become(spec));
}

/**
 * Sends requests to other machines from one moment on; no connection of a client ends for it. Resolves when those that
 * left have no request under way, or `drain` milliseconds are over. Throws LockageError when a machine that is new does
 * not answer within `answer` milliseconds: nothing has changed then.
 */
export async function moveFront(spec: FrontSpec, options: { drain?: number; answer?: number } = {}): Promise<void> {
  const { drain, answer } = { ...timeouts, ...options };
  await locked(spec.home, async () => {
    await untilNewAnswer(spec, answer);
    await become(spec);
    await untilDrained(spec, drain);
  });
}

/** The folder of an environment's front. */
export function frontHome(places: MachinePlaces, { environment }: Pick<Place, 'environment'>): string {
  return path.join(places.fronts, environment);
}

/** Makes an environment's front what it shall be, or starts it. It leads where it led before, unless `servers` are told. */
export async function keepFront(
  places: MachinePlaces,
  inputs: FrontInputs,
  servers?: readonly FrontServer[],
): Promise<void> {
  const home = frontHome(places, inputs);
  await ensureFront({ ...inputs, home, servers: servers ?? (await readMark(home))?.servers ?? [] });
}

/**
 * Lets an environment's front lead to these machines and no others: see `moveFront`. Nothing happens where it does, or where
 * there is none.
 */
export async function leadFront(
  places: MachinePlaces,
  place: Pick<Place, 'environment'>,
  machines: readonly FrontServer[],
): Promise<void> {
  const home = frontHome(places, place);
  // A host is more than what the front has to know of it.
  const servers = machines.map(({ name, address, ports }) => ({ name, address, ...(ports ? { ports } : {}) }));
  const [mark, slots] = await Promise.all([readMark(home), askSlots(home).catch(() => undefined)]);
  if (!mark) return;
  // A run that was killed may have told the process something else than the folder says.
  const isSo = slots && misplaced(slots, mark.ports, servers).length === 0;
  if (isSo && canonicalJson(mark.servers) === canonicalJson(servers)) return;
  await moveFront({ ...mark, home, servers });
}

/** Whether a front runs, and to which machines it sends. */
export async function frontState(home: string): Promise<FrontState> {
  const mark = await readMark(home);
  if (!mark) return { state: 'absent', ports: [], servers: [] };
  const { address, ports, servers } = mark;
  const slots = await askSlots(home).catch(() => undefined);
  if (!slots)
    return { state: 'stopped', address, ports, servers: servers.map((each) => ({ ...each, healthy: false })) };
  const health = (server: FrontServer) =>
    ports.every(
      (port) =>
        !serversAt([server], port).length ||
        slots.some((slot) => isAt(slot, server, port) && !slot.resting && slot.healthy),
    );
  return { state: 'running', address, ports, servers: servers.map((each) => ({ ...each, healthy: health(each) })) };
}

/** Ends a front, with what it has under way, and removes its files. One that is gone is fine. */
export async function removeFront(home: string): Promise<void> {
  if (!existsSync(home) && (await processesOf(home)).length === 0) return;
  await locked(home, async () => {
    await endProcesses(home);
    await rm(home, { recursive: true, force: true });
  });
}

async function become(spec: FrontSpec): Promise<void> {
  const { home, address, ports, servers } = spec;
  await refuseStranger(spec);
  const user = process.getuid?.() === 0 ? 'haproxy' : undefined;
  const running = await askProcess(home);
  // One that does not answer would hold the ports.
  if (!running) await endProcesses(home);
  await refuseTaken(address, await newPorts(spec, running));
  await writeWhole(configFile(home), frontConfig(spec, user));
  if (running) await retarget(home, ports, servers);
  if (running?.shape !== shapeOf(spec, user)) await startProcess(home, running?.pid);
  // The mark comes last: what it names is what is served, or was when the process ended.
  const { home: _, ...mark } = spec;
  await writeWhole(markFile(home), `${JSON.stringify(mark)}\n`);
  const answers = await until(timeouts.answer, () => allOf(ports, (port) => accepts(address, port)));
  if (!answers) throw new LockageError(`the front does not answer at ${address}, ports ${ports.join(', ')}`);
}

/** The ports that the running process does not listen on. */
async function newPorts({ home, address, ports }: FrontSpec, running?: RunningFront): Promise<readonly number[]> {
  if (running?.address !== address) return ports;
  const sections = new Set((await askSlots(home)).map(({ section }) => section));
  return ports.filter((port) => !sections.has(sectionOf(port)));
}

/** New machines first and then off with the old ones, in one breath for each port. */
async function retarget(home: string, ports: readonly number[], servers: readonly FrontServer[]): Promise<void> {
  const slots = await askSlots(home);
  for (const port of ports) {
    const here = slots.filter(({ section }) => section === sectionOf(port));
    // A port that the process does not have yet comes with the next one.
    if (here.length === 0) continue;
    const wanted = serversAt(servers, port);
    const arriving = wanted.filter((server) => !here.some((slot) => !slot.resting && isAt(slot, server, port)));
    const leaving = here.filter((slot) => !slot.resting && !wanted.some((server) => isAt(slot, server, port)));
    const free = here.filter(({ resting, busy }) => resting && busy === 0);
    const added = await Promise.all(arriving.map((server, index) => enter(server, port, free[index])));
    const commands = [...added.flat(), ...leaving.map((slot) => `set server ${nameOf(slot)} state maint`)];
    if (commands.length > 0) await tell(home, commands);
  }
  const wrong = misplaced(await askSlots(home), ports, servers);
  if (wrong.length > 0) throw new Error(`the front in ${home} did not take over: ${wrong.join(', ')}`);
}

async function enter({ address }: FrontServer, port: number, slot: Slot | undefined): Promise<string[]> {
  if (!slot) throw new LockageError('the front has no place for another machine', { hint: 'Try again in a minute.' });
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
function misplaced(slots: readonly Slot[], ports: readonly number[], servers: readonly FrontServer[]): string[] {
  return ports.flatMap((port) => {
    const active = slots.filter(({ section, resting }) => section === sectionOf(port) && !resting);
    if (!slots.some(({ section }) => section === sectionOf(port))) return [];
    const wanted = serversAt(servers, port);
    return [
      ...wanted.filter((server) => !active.some((slot) => isAt(slot, server, port))).map(({ name }) => name),
      ...active.filter((slot) => !wanted.some((server) => isAt(slot, server, port))).map(({ target }) => target),
    ];
  });
}

async function untilNewAnswer({ home, ports, servers }: FrontSpec, wait: number): Promise<void> {
  const slots = await askSlots(home).catch(() => []);
  const pairs = ports.flatMap((port) => serversAt(servers, port).map((server) => ({ ...server, port })));
  const isKnown = (server: FrontServer, port: number) =>
    slots.some((slot) => !slot.resting && isAt(slot, server, port));
  const silent = await Promise.all(
    pairs.map(async (pair) => {
      if (isKnown(pair, pair.port)) return [];
      const found = await until(wait, () => accepts(pair.address, pair.port));
      return found ? [] : [`${pair.name} at ${pair.address}:${pair.port}`];
    }),
  );
  if (silent.flat().length === 0) return;
  throw new LockageError('the front stays where it is: not all machines answer', { details: silent.flat() });
}

/** Resting places without a request, and no process of before. */
async function untilDrained({ home }: FrontSpec, drain: number): Promise<void> {
  await until(drain, async () => {
    const [slots, processes] = await Promise.all([askSlots(home), processesOf(home)]);
    return processes.length === 1 && slots.every(({ resting, busy }) => !resting || busy === 0);
  });
}

async function refuseStranger({ home, app, environment }: FrontSpec): Promise<void> {
  const mark = await readMark(home);
  if (!mark || (mark.app === app && mark.environment === environment)) return;
  throw new LockageError(`the front in ${home} is of ${mark.app} ${mark.environment}`, {
    hint: 'Look whose it is, and move it away; then run the same command again.',
  });
}

function isAt({ section, target }: Slot, { address }: FrontServer, port: number): boolean {
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

function markFile(home: string): string {
  return path.join(home, 'front.json');
}

async function readMark(home: string): Promise<Mark | undefined> {
  const text = await readFile(markFile(home), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Mark);
}

async function writeWhole(file: string, text: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(`${file}.draft`, text, { mode: 0o600 });
  await rename(`${file}.draft`, file);
}
