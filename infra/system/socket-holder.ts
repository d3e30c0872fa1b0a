import { readdir, readFile, readlink } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive } from './is-alive.ts';
import { runToEnd } from './process.ts';

/** A TCP connection within 127.0.0.1, as its two ports. */
export interface LocalConnection {
  readonly from: number;
  readonly to: number;
}

/** A process with the descriptor that is its end of a connection. */
export interface SocketHolder {
  readonly pid: number;
  /** the descriptor and what it leads to; absent where the system does not show it */
  readonly descriptor?: { readonly link: string; readonly socket: string };
}

/**
 * Returns the process among `pids` that made a connection to this computer's own address, as the system knows it; undefined
 * when it is another one's or of another user. `pids` are asked for only when the user is the right one.
 *
 * Linux tells by /proc. Elsewhere lsof does, for which only the processes in `pids` themselves count.
 */
export async function holderOf(
  connection: LocalConnection,
  pids: () => Promise<readonly number[]>,
): Promise<SocketHolder | undefined> {
  if (process.platform !== 'linux') return holderByLsof(connection, await pids());
  const end = await otherEnd(connection);
  if (!end || end.uid !== process.getuid?.()) return undefined;
  for (const pid of await pids()) {
    const link = await descriptorOf(pid, end.socket);
    if (link !== undefined) return { pid, descriptor: { link, socket: end.socket } };
  }
  return undefined;
}

/** Returns whether a process still has the end of the connection that it had: while it does, nobody else can have it. */
export async function stillHolds({ pid, descriptor }: SocketHolder): Promise<boolean> {
  if (!descriptor) return isAlive(pid);
  return (await readlink(descriptor.link).catch(() => '')) === descriptor.socket;
}

/** Returns these processes and all that they started, where the system shows it. */
export async function withDescendants(pids: readonly number[]): Promise<readonly number[]> {
  const parents = await parentsOfAll();
  const found = new Set(pids);
  // A set goes on to what was added while it is walked.
  for (const pid of found) for (const [child, parent] of parents) if (parent === pid) found.add(child);
  return [...found];
}

/** Returns the processes that this one descends from; elsewhere than on Linux the one that started it. */
export async function ancestors(): Promise<readonly number[]> {
  const parents = await parentsOfAll();
  const found = new Set([process.ppid]);
  for (const pid of found) {
    const parent = parents.get(pid);
    if (parent) found.add(parent);
  }
  return [...found];
}

async function parentsOfAll(): Promise<ReadonlyMap<number, number>> {
  const names = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const pairs = names.map(async (name): Promise<[number, number]> => {
    const text = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    // The program's name stands in brackets and may contain anything.
    const [, parent = '0'] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return [Number(name), Number(parent)];
  });
  return new Map(await Promise.all(pairs));
}

/** Finds the other end of a connection. A table that changes while it is read can leave out a row. */
async function otherEnd(connection: LocalConnection): Promise<{ uid: number; socket: string } | undefined> {
  for (let tries = 1; tries <= 3; tries++) {
    const found = parseTcpTable(await readFile('/proc/net/tcp', 'utf8'), connection);
    if (found) return found;
    await sleep(20);
  }
  return undefined;
}

/** Returns whose the socket at the `from` end is, by the text of /proc/net/tcp. */
export function parseTcpTable(
  text: string,
  { from, to }: LocalConnection,
): { uid: number; socket: string } | undefined {
  const end = (port: number) => `(?:0100007F|7F000001):${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const row = new RegExp(`^ *\\d+: ${end(from)} ${end(to)} (.*)$`, 'm').exec(text);
  const [, , , , uid, , inode] = row?.[1]?.trim().split(/ +/) ?? [];
  return uid === undefined || inode === undefined || inode === '0'
    ? undefined
    : { uid: Number(uid), socket: `socket:[${inode}]` };
}

async function descriptorOf(pid: number, socket: string): Promise<string | undefined> {
  const folder = `/proc/${pid}/fd`;
  const links = (await readdir(folder).catch(() => [])).map((name) => `${folder}/${name}`);
  const targets = await Promise.all(links.map((link) => readlink(link).catch(() => '')));
  return links.find((_, index) => targets[index] === socket);
}

async function holderByLsof(connection: LocalConnection, pids: readonly number[]): Promise<SocketHolder | undefined> {
  const filter = ['-a', '-p', pids.join(','), `-iTCP@127.0.0.1:${connection.from}`];
  const { stdout } = await runToEnd('/usr/sbin/lsof', ['-nP', ...filter, '-Fpn'], 10_000);
  const pid = parseLsof(stdout, connection);
  return pid === undefined ? undefined : { pid };
}

/** Returns the process with the `from` end, by what `lsof -Fpn` printed. */
export function parseLsof(text: string, { from, to }: LocalConnection): number | undefined {
  let pid: number | undefined;
  for (const line of text.split('\n')) {
    if (line.startsWith('p')) pid = Number(line.slice(1));
    if (line === `n127.0.0.1:${from}->127.0.0.1:${to}`) return pid;
  }
  return undefined;
}
