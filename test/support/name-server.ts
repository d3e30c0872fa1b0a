/** A name server that leads to what a test says, as an engine's own does for containers. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

export class NameServer {
  /** name → IPv4 addresses; others are not there */
  readonly names = new Map<string, readonly string[]>();
  /** how often somebody asked */
  asked = 0;
  readonly #socket = createSocket('udp4');

  /** Starts it. Returns its address. */
  async start(): Promise<string> {
    this.#socket.on('message', (message, { port, address }) => {
      this.asked += 1;
      this.#socket.send(this.#answer(message), port, address);
    });
    await once(this.#socket.bind(0, '127.0.0.1'), 'listening');
    return `127.0.0.1:${this.#socket.address().port}`;
  }

  close(): void {
    this.#socket.close();
  }

  #answer(message: Buffer): Buffer {
    const end = endOfName(message);
    const question = message.subarray(12, end + 4);
    const known = this.names.get(nameOf(message));
    const found = message.readUInt16BE(end) === ipv4 ? rotated(known ?? [], this.asked) : [];
    const head = Buffer.alloc(12);
    message.copy(head, 0, 0, 2);
    // An answer to a question that wanted recursion; 3: there is no such name.
    head.writeUInt16BE(0x8180 + (known ? 0 : 3), 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(found.length, 6);
    return Buffer.concat([head, question, ...found.map(record)]);
  }
}

/** Each answer begins with another address, as of an engine. */
function rotated(addresses: readonly string[], by: number): readonly string[] {
  const first = by % Math.max(1, addresses.length);
  return [...addresses.slice(first), ...addresses.slice(0, first)];
}

/** The type of a question for addresses. */
const ipv4 = 1;

/** An address of the name that stands at byte 12, of class IN, for ten minutes. */
function record(address: string): Buffer {
  return Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 2, 88, 0, 4, ...address.split('.').map(Number)]);
}

function endOfName(message: Buffer): number {
  return message.indexOf(0, 12) + 1;
}

function nameOf(message: Buffer): string {
  const labels: string[] = [];
  for (let at = 12; at < endOfName(message) - 1; at += 1 + message.readUInt8(at)) {
    labels.push(message.toString('latin1', at + 1, at + 1 + message.readUInt8(at)));
  }
  return labels.join('.');
}
