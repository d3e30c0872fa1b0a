import { createServer, type RequestListener } from 'node:http';
import { createServer as createSocket, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EdgeFixture } from '../../support/edge-fixture.ts';

let edge: EdgeFixture;
let servers: Server[];
const sockets = new Set<Socket>();
beforeEach(() => {
  edge = new EdgeFixture();
  servers = [];
});
afterEach(() => {
  edge.remove();
  for (const server of servers) server.close();
  for (const socket of sockets) socket.destroy();
});

async function listen(server: Server): Promise<string> {
  servers.push(server);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const http = (handler: RequestListener) => listen(createServer(handler));
const probe = (at: string, times = 2, seconds = 0, ...host: string[]) =>
  edge.run('probe', `http://${at}/healthz?a=b`, String(times), '0.05', String(seconds), ...host);

test.each([200, 204, 206, 302, 304, 399])('%i is good', async (status) => {
  const at = await http((_request, response) => response.writeHead(status).end());
  expect(await probe(at, 2, 5)).toMatchObject({ code: 0, stdout: 'ok 1\nok 2\n' });
});

test.each([
  [500, 'HTTP/1.1 500 Internal Server Error'],
  [404, 'HTTP/1.1 404 Not Found'],
  [400, 'HTTP/1.1 400 Bad Request'],
])('%i is not', async (status, text) => {
  const at = await http((_request, response) => response.writeHead(status).end());
  const { code, stdout } = await probe(at);
  expect([code, stdout.trim()]).toEqual([5, text]);
});

test('a redirect is not followed', async () => {
  const elsewhere: string[] = [];
  const other = await http((request, response) => {
    elsewhere.push(request.url ?? '');
    response.end();
  });
  const at = await http((_request, response) => response.writeHead(301, { location: `http://${other}/` }).end());
  expect((await probe(at, 3, 5)).code).toBe(0);
  expect(elsewhere).toEqual([]);
});

test('asks once for the path, with the address or the name that it is given', async () => {
  const seen: unknown[] = [];
  const at = await http(({ method, url, headers }, response) => {
    seen.push([method, url, headers.host]);
    response.end();
  });
  await probe(at, 1, 5);
  await probe(at, 1, 5, 'shop.example.com');
  expect(seen).toEqual([
    ['GET', '/healthz?a=b', at],
    ['GET', '/healthz?a=b', 'shop.example.com'],
  ]);
});

test('good answers have to come in a row', async () => {
  const answers = [200, 500, 200, 200];
  const at = await http((_request, response) => response.writeHead(answers.shift() ?? 200).end());
  expect((await probe(at, 2, 10)).stdout).toBe('ok 1\nHTTP/1.1 500 Internal Server Error\nok 1\nok 2\n');
});

test('who says nothing is waited for three seconds', async () => {
  const at = await listen(createSocket(() => undefined));
  expect(await probe(at)).toMatchObject({ code: 5, stdout: 'no answer within 3 s\n' });
});

test('who hangs up, or does not listen, is told of', async () => {
  const at = await listen(createSocket((socket) => socket.end()));
  expect((await probe(at)).stdout).toBe('the connection was closed without an answer\n');
  servers.pop()?.close();
  expect(await probe(at)).toMatchObject({ code: 5, stdout: expect.stringContaining('Connection refused') });
});

test('what is no HTTP is shown in part, and harmlessly', async () => {
  const at = await listen(createSocket((socket) => void socket.end(`\u001b[31mSSH-2.0${'x'.repeat(9000)}`)));
  const { code, stdout } = await probe(at);
  expect(code).toBe(5);
  expect(stdout).toMatch(/^no HTTP answer: \[31mSSH-2\.0x{100,}\n$/);
  expect(stdout.length).toBeLessThan(260);
});

test('a body without an end is not read to it', async () => {
  let sent = 0;
  const at = await http((_request, response) => {
    response.writeHead(200);
    const more = () => {
      sent += 65_536;
      if (sent < 2 ** 30 && !response.destroyed) response.write(Buffer.alloc(65_536), more);
    };
    more();
  });
  expect((await probe(at, 1, 5)).code).toBe(0);
  expect(sent).toBeLessThan(2 ** 27);
});
