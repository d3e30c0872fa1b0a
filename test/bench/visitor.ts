/** A visitor who asks a public port again and again, on a new connection each time, until a version answers. */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const longestWait = 60_000;

export interface Door {
  readonly address: string;
  readonly port: number;
}

/**
 * Resolves when every door has answered with the version. Each is asked again a moment after its answer: 2 ms for one
 * door, and so much longer for several that the asking does not slow down what is measured.
 */
export async function allAnswer(doors: readonly Door[], version: string): Promise<void> {
  const end = performance.now() + longestWait;
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

/** The whole answer as text; empty when there is none. */
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
