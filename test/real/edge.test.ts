import type { RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CaddyEdge, freePorts } from '../support/caddy-edge.ts';

const edge = new CaddyEdge();
const nobody = '127.0.0.1:9';
let port = 0;
let other = 0;
const routes = (primary: string, fallback = primary) => edge.switchTo({ [port]: { primary, fallback } });

beforeAll(async () => {
  [port = 0, other = 0] = await freePorts(2);
  await edge.start([port, other]);
});
afterAll(() => edge.remove());

/** Tells who asked, as the edge says. */
const whoAsks: RequestListener = ({ headers }, response) =>
  response.end([headers['x-forwarded-for'], headers['x-forwarded-proto']].join(' '));
const forged = { 'x-forwarded-for': '192.0.2.7', 'x-forwarded-proto': 'https' };

test('who asks is told by a proxy that is trusted, and by nobody else', async () => {
  const [trusting, at] = [new CaddyEdge(), (await freePorts(1))[0] ?? 0];
  try {
    await trusting.start([at], { trustedProxies: ['127.0.0.0/8'] });
    const web = await edge.release(whoAsks);
    await routes(web);
    await trusting.switchTo({ [at]: { primary: web, fallback: web } });
    expect((await edge.ask(port, '/', { headers: forged })).body).toBe('127.0.0.1 http');
    expect((await trusting.ask(at, '/', { headers: forged })).body).toBe('192.0.2.7, 127.0.0.1 https');
  } finally {
    await trusting.remove();
  }
});

test('more requests than are allowed are refused at once, on their port alone, until there are fewer', async () => {
  const [limited, [at = 0, beside = 0]] = [new CaddyEdge(), await freePorts(2)];
  try {
    await limited.start([at, beside], { connections: 32 });
    const held: ServerResponse[] = [];
    const slow = await limited.release((_, response) => void held.push(response));
    const quick = await limited.release((_, response) => response.end('quick'));
    await limited.switchTo({ [at]: { primary: slow, fallback: slow }, [beside]: { primary: quick, fallback: quick } });
    const first = Array.from({ length: 16 }, () => limited.ask(at, '/'));
    await expect.poll(() => held.length).toBe(16);
    const { status, headers, took } = await limited.ask(at, '/', { method: 'POST', body: 'x' });
    expect([status, headers['retry-after'], took < 1000]).toEqual([503, '1', true]);
    expect((await limited.ask(beside, '/')).body).toBe('quick');
    for (const response of held.splice(0)) response.end('answered');
    expect((await Promise.all(first)).map(({ body }) => body)).toEqual(first.map(() => 'answered'));
    await limited.switchTo({ [at]: { primary: quick, fallback: quick } });
    expect((await limited.ask(at, '/')).body).toBe('quick');
  } finally {
    await limited.remove();
  }
});

describe('where a name leads to several containers', () => {
  const answered: Record<string, number> = {};
  const containers = ['a', 'b', 'c'].map((name): RequestListener => async (asked, response) => {
    await sleep(asked.url === '/slow' && name === 'b' ? 400 : 2);
    answered[name] = (answered[name] ?? 0) + 1;
    response.end(name);
  });
  const askAll = async (count: number, visitors: number, path = '/') => {
    for (const name of ['a', 'b', 'c']) answered[name] = 0;
    const statuses: unknown[] = [];
    const visit = async () => {
      while (statuses.length < count) statuses.push((await edge.ask(port, path)).status);
    };
    await Promise.all(Array.from({ length: visitors }, visit));
    return statuses.filter((status) => status !== 200);
  };
  const shares = () => Object.values(answered).map((count) => count / Object.values(answered).reduce((a, b) => a + b));

  beforeAll(async () => {
    const primary = await edge.releaseOf('web', containers);
    await edge.switchTo({ [port]: { primary, fallback: primary, among: 3 } });
  });

  test.each([1, 20])('requests of %i visitors are spread evenly over them', async (visitors) => {
    expect(await askAll(600, visitors)).toEqual([]);
    for (const share of shares()) expect([share > 0.23, share < 0.43], String(shares())).toEqual([true, true]);
  });

  test('one that is slow gets fewer', async () => {
    expect(await askAll(600, 20, '/slow')).toEqual([]);
    expect(answered['b']).toBeLessThan(150);
  });

  test('one that ended costs no request, before and after its name is gone', async () => {
    expect(await askAll(100, 10)).toEqual([]);
    edge.end('127.0.1.2');
    expect(await askAll(600, 10)).toEqual([]);
    edge.names.names.set('web', ['127.0.1.1', '127.0.1.3']);
    expect(await askAll(300, 10)).toEqual([]);
    // For a second the name still leads to the third one, whose requests may all go to the same other one.
    expect([answered['a'], answered['c']].map((count = 0) => count > 60)).toEqual([true, true]);
  });

  test('they are asked for once a second, and a name that is gone is like nobody at all', async () => {
    const before = edge.names.asked;
    await askAll(600, 10);
    expect(edge.names.asked - before).toBeLessThan(20);
    edge.names.names.clear();
    for (const address of ['127.0.1.1', '127.0.1.3']) edge.end(address);
    await sleep(1000);
    const [lost, found] = [edge.ask(port, '/'), edge.ask(port, '/', { method: 'POST', body: 'x' })];
    await sleep(500);
    await routes(await edge.release((_, response) => response.end('next')));
    expect([(await lost).body, (await found).body]).toEqual(['next', 'next']);
  });
});

describe('a request', () => {
  test('that the release does not take is given to the one before, with its body', async () => {
    const before = await edge.release((asked, response) => {
      let size = 0;
      asked.on('data', (chunk: Buffer) => (size += chunk.length));
      asked.on('end', () => response.end(`before ${size}`));
    });
    await routes(nobody, before);
    expect(await edge.ask(port, '/')).toMatchObject({ status: 200, body: 'before 0' });
    const body = 'x'.repeat(300_000);
    expect(await edge.ask(port, '/', { method: 'POST', body })).toMatchObject({ status: 200, body: 'before 300000' });
  });

  test('that waits for anybody gets to the release that comes meanwhile', async () => {
    await routes(nobody);
    const answers = [edge.ask(port, '/'), edge.ask(port, '/', { method: 'POST', body: 'x' })];
    await sleep(1000);
    await routes(await edge.release((_, response) => response.end('next')));
    expect(await Promise.all(answers)).toEqual([
      expect.objectContaining({ status: 200, body: 'next' }),
      expect.objectContaining({ status: 200, body: 'next' }),
    ]);
  });

  test('that nobody takes is given up after eight seconds', async () => {
    await routes(nobody);
    const { status, took } = await edge.ask(port, '/');
    expect([status, took > 7500, took < 15_000]).toEqual([502, true, true]);
  });

  test('that had its effect is not sent twice; a GET is, once', async () => {
    const seen: string[] = [];
    await routes(
      await edge.release(({ method = '', socket }) => {
        seen.push(method);
        socket.destroy();
      }),
    );
    expect((await edge.ask(port, '/', { method: 'POST', body: 'x' })).status).toBe(502);
    expect((await edge.ask(port, '/')).status).toBe(502);
    expect(seen).toEqual(['POST', 'GET', 'GET']);
  });
});

test('what one page or one role does wrong takes nothing else with it', async () => {
  const web = await edge.release(({ url, socket }, response) => {
    if (url === '/cut') socket.destroy();
    else response.end('well');
  });
  await edge.switchTo({
    [port]: { primary: web, fallback: web },
    [other]: { primary: nobody, fallback: nobody },
  });
  const wrong = [
    ...Array.from({ length: 40 }, () => edge.ask(port, '/cut')),
    ...Array.from({ length: 40 }, () => edge.ask(other, '/')),
  ];
  const well = [];
  for (let count = 0; count < 100; count += 1) {
    const { body, took } = await edge.ask(port, '/');
    if (body !== 'well' || took > 2000) well.push({ body, took });
  }
  expect(well).toEqual([]);
  const statuses = (await Promise.all(wrong)).map(({ status }) => status);
  expect(new Set(statuses)).toEqual(new Set([502]));
});

test('no POST is lost at the moment at which the application closes what nobody uses', async () => {
  const sockets = new Set<Socket>();
  const web = await edge.release((asked, response) => {
    sockets.add(asked.socket);
    asked.resume().on('end', () => response.end('taken'));
  });
  await routes(web);
  const post = async (pause: number) => {
    await sleep(pause);
    return (await edge.ask(port, '/', { method: 'POST', body: 'x' })).status;
  };
  const posts = (pause: number, spread: number) =>
    Promise.all(Array.from({ length: 200 }, (_, index) => post(pause + (index % spread))));
  const statuses = await posts(0, 1);
  // Node keeps each for five seconds, and one more.
  for (let count = 0; count < 2; count += 1) statuses.push(...(await posts(5850, 300)));
  expect(statuses.filter((status) => status !== 200)).toEqual([]);
  expect([...sockets].filter(({ destroyed }) => destroyed)).not.toEqual([]);
});
