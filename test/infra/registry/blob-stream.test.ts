import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { blobStream } from '../../../infra/registry/blob-stream.ts';
import { RegistryClient } from '../../../infra/registry/client.ts';
import { digestOf } from './values.ts';

const blob = Buffer.from('0123456789'.repeat(30_000));
const part = { mediaType: 'application/octet-stream', digest: digestOf(blob), size: blob.length };

let server: Server | undefined;
afterEach(async () => {
  server?.closeAllConnections();
  server?.close();
});

/** Reads the blob of a registry that answers so; `onBytes` hears what comes of it. */
async function read(
  answer: (from: number, response: ServerResponse, request: IncomingMessage) => void,
  { onBytes, ...waiting }: { readonly idleTimeout?: number; onBytes?(bytes: number): void } = {},
): Promise<Buffer> {
  const made = createServer((request, response) => {
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    answer(from, response, request);
  });
  server = made;
  made.listen(0, '127.0.0.1');
  await once(made, 'listening');
  const repository = `127.0.0.1:${(made.address() as AddressInfo).port}/shop`;
  const chunks: Buffer[] = [];
  const { signal } = new AbortController();
  for await (const bytes of blobStream(new RegistryClient(), repository, part, { ...waiting, signal })) {
    chunks.push(bytes);
    onBytes?.(bytes.length);
  }
  return Buffer.concat(chunks);
}

/** Sends so many bytes from there on, and breaks off when that is not all. */
function send(response: ServerResponse, from: number, bytes: number): void {
  response.writeHead(from > 0 ? 206 : 200, { 'content-length': blob.length - from });
  const rest = blob.subarray(from, from + bytes);
  if (from + bytes >= blob.length) response.end(rest);
  else response.write(rest, () => setTimeout(() => response.destroy(), 20));
}

test('a transfer that breaks off goes on where it did', async () => {
  const asked: number[] = [];
  const got = await read((from, response) => {
    asked.push(from);
    send(response, from, 100_000);
  });
  expect([got.equals(blob), asked]).toEqual([true, [0, 100_000, 200_000]]);
});

test('a registry that gives no parts is read from the start once more', async () => {
  let count = 0;
  const got = await read((_from, response) => {
    count += 1;
    send(response, 0, count === 1 ? 100_000 : blob.length);
  });
  expect([got.equals(blob), count]).toEqual([true, 2]);
});

test('a transfer that does not get further is given up, and the blob is named', async () => {
  await expect(read((from, response) => send(response, from, 0))).rejects.toMatchObject({
    message: expect.stringMatching(/^a transfer from the registry 127\.0\.0\.1:\d+ broke off: /),
    details: [expect.stringContaining(part.digest.slice(7, 19))],
  });
});

test('a transfer that falls silent goes on or is given up', async () => {
  const asked: number[] = [];
  /** Sends so many bytes from there on, and no more while the connection stays. */
  const stall = (response: ServerResponse, from: number, bytes: number) => {
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': blob.length - from }).flushHeaders();
    if (bytes > 0) response.write(blob.subarray(from, from + bytes));
  };
  const got = await read(
    (from, response) => {
      asked.push(from);
      stall(response, from, 100_000);
    },
    { idleTimeout: 200 },
  );
  expect([got.equals(blob), asked]).toEqual([true, [0, 100_000, 200_000]]);
  server?.close();
  await expect(read((from, response) => stall(response, from, 0), { idleTimeout: 200 })).rejects.toMatchObject({
    message: expect.stringMatching(/^a transfer from the registry \S+ broke off: nothing came for 0\.2 s$/),
    details: [expect.stringContaining('4 times at the same byte')],
  });
});

test('a blob that is longer than its manifest says is cut off there', async () => {
  let sent = 0;
  let come = 0;
  const endless = (_from: number, response: ServerResponse) => {
    const more = () => {
      sent += 1;
      if (sent === 1000) response.end();
      else if (!response.destroyed) response.write(Buffer.alloc(2 ** 16), more);
    };
    response.write(blob, more);
  };
  await expect(read(endless, { onBytes: (bytes) => (come += bytes) })).rejects.toThrow(/sent something else/);
  expect(come).toBeLessThanOrEqual(blob.length);
  expect(sent).toBeLessThan(1000);
});

test('other bytes than those of the digest are refused, and so is a blob that is gone', async () => {
  await expect(read((_from, response) => response.end(Buffer.alloc(blob.length)))).rejects.toThrow(
    /sent something else/,
  );
  server?.close();
  await expect(read((_from, response) => response.writeHead(404).end())).rejects.toThrow(/does not give .*: 404/);
});
