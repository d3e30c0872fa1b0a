/** A visitor who requests a public port again and again, on a new connection each time, until a version answers. */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const maxWait = 60_000;

export interface Door {
  readonly address: string;
  readonly port: number;
}

/**
 * Resolves when every door has answered with the version. Each is asked again a moment after its answer: 2 ms for one
 * door, and longer for several, so that the requests do not slow down what is measured. Throws after `longest` ms.
 */
export async function allAnswer(doors: readonly Door[], version: string, longest = maxWait): Promise<void> {
  const end = performance.now() + longest;
  await Promise.all(doors.map((door) => answers(door, version, 2 * doors.length, end)));
}

async function answers(door: Door, version: string, pause: number, end: number): Promise<void> {
  let last = '';
  while (performance.now() < end) {
    last = await ask(door);
    if (last.includes(`"version":"${version}"`)) return;
    await sleep(pause);
  }
  throw new Error(`${door.address}:${door.port} did not answer with ${version}: ${last.split('\r\n')[0]}`);
}

/** Returns the whole answer as text; empty when there is none. */
function ask({ address, port }: Door): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: 5000 });
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (data) => (text += data));
    socket.on('timeout', () => socket.destroy());
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
    socket.write(`GET / HTTP/1.1\r\nHost: ${address}\r\nConnection: close\r\n\r\n`);
  });
}

/**
 * Returns the milliseconds until every answer of every door is the version and stays so. `done` is what changes it:
 * asking goes on until it has ended and nothing else came for a while after it. An entry that spreads requests over
 * containers gives both versions in turn meanwhile.
 */
export async function untilOnly(
  doors: readonly Door[],
  version: string,
  done: Promise<unknown>,
): Promise<{ readonly ms: number; readonly lost: number }> {
  const started = performance.now();
  let ended = false;
  const change = done.finally(() => (ended = true));
  const seen = Promise.all(doors.map((door) => lastOther(door, version, started, () => ended)));
  const [found] = await Promise.all([seen, change]);
  return {
    ms: Math.max(...found.map(({ since }) => since - started)),
    lost: found.reduce((sum, { lost }) => sum + lost, 0),
  };
}

/**
 * Milliseconds without an old answer: with nine containers behind a door and some hundred answers in this time, an old
 * one among them would be seen.
 */
const quiet = 1500;
const pauseOfWatching = 10;

async function lastOther(
  door: Door,
  version: string,
  started: number,
  hasEnded: () => boolean,
): Promise<{ since: number; lost: number }> {
  let since: number | undefined;
  let lost = 0;
  while (performance.now() - started < maxWait) {
    const answer = await ask(door);
    const now = performance.now();
    if (!answer.startsWith('HTTP/1.1 200')) lost += 1;
    since = answer.includes(`"version":"${version}"`) ? (since ?? now) : undefined;
    if (since !== undefined && hasEnded() && now - since > quiet) return { since, lost };
    await sleep(pauseOfWatching);
  }
  throw new Error(`${door.address}:${door.port} did not come to answer with ${version} alone`);
}
