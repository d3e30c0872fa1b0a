import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureFront, frontState, moveFront, removeFront } from '../../infra/machines/front.ts';
import { processesOf } from '../../infra/machines/front-process.ts';
import { startLoad, type Load } from '../../scripts/load.ts';
import { FrontSite } from '../support/front-fixture.ts';
import { labsWork } from '../support/pipeline-fixture.ts';

describe.runIf(labsWork)('one address for several machines', () => {
  let site: FrontSite;
  let machines: Record<'a' | 'b' | 'c' | 'd', { name: string; address: string }>;

  beforeAll(async () => {
    site = await FrontSite.open();
    const [a, b, c, d] = await Promise.all([
      site.serve('a', 11, [8000, 8001]),
      site.serve('b', 12, [8000, 8001]),
      site.serve('c', 13, [8000, 8001]),
      site.serve('d', 14, [8000, 8001]),
    ]);
    machines = { a, b, c, d };
  });

  afterAll(async () => site?.remove());

  const spec = (names: readonly (keyof typeof machines)[], ports = [8000]) => ({
    ...{ home: site.home, app: 'trial', environment: 'prod', address: site.address, ports },
    servers: names.map((name) => machines[name]),
  });
  const url = (port = 8000) => `http://${site.address}:${port}/`;
  const ask = async (port = 8000) =>
    (await fetch(url(port), { headers: { connection: 'close' } })).headers.get('x-version') ?? '';
  const seen = async (times = 12) => [...new Set(await Promise.all(Array.from({ length: times }, () => ask())))].sort();
  const healthy = async () =>
    (await frontState(site.home)).servers.filter((server) => server.healthy).map(({ name }) => name);
  const start = () =>
    startLoad({
      urls: [url()],
      rate: 200,
      connections: 'both',
      slow: { path: '/slow?ms=2000', everyMs: 100 },
    });
  const finish = async (load: Load) => {
    const stats = await load.stop();
    expect(stats, JSON.stringify(stats.failures)).toMatchObject({ failed: 0, retried: 0 });
    expect([stats.slow.ok, stats.slow.sent > 0]).toEqual([stats.slow.sent, true]);
    return stats;
  };

  test('it is not there before it is made', async () => {
    expect((await frontState(site.home)).state).toBe('absent');
    await removeFront(site.home);
    expect(existsSync(site.home)).toBe(false);
  });

  test('it spreads requests over them, and tells them who asked', async () => {
    await ensureFront(spec(['a', 'b']));
    expect(await seen()).toEqual(['a', 'b']);
    expect(await frontState(site.home)).toMatchObject({ state: 'running', address: site.address, ports: [8000] });
    const told = (await (await fetch(url())).json()) as Record<string, string>;
    expect(told['x-forwarded-for']).toBe(site.address);
  });

  test('made again, it is the same process', async () => {
    const before = await processesOf(site.home);
    await Promise.all([ensureFront(spec(['a', 'b'])), ensureFront(spec(['a', 'b']))]);
    expect(await processesOf(site.home)).toEqual(before);
  });

  test('it moves to other machines without a failed request, and nothing is under way on the old ones then', async () => {
    const load = await start();
    await sleep(2500);
    for (const names of [
      ['c', 'd'],
      ['a', 'b'],
      ['c', 'd'],
    ] as const) {
      await moveFront(spec(names));
      expect(await seen()).toEqual([...names]);
    }
    // Whoever had a request there would notice.
    await Promise.all([site.kill('a'), site.kill('b')]);
    await sleep(500);
    await finish(load);
  });

  test('it does not move to machines that do not answer', async () => {
    await expect(moveFront(spec(['a', 'c']), { answer: 300 })).rejects.toMatchObject({
      details: [`a at ${machines.a.address}:8000`],
    });
    expect(await healthy()).toEqual(['c', 'd']);
  });

  test('it gets another port, and loses it, without a failed request', async () => {
    const load = await start();
    await sleep(500);
    await ensureFront(spec(['c', 'd'], [8000, 8001]));
    expect(['c', 'd']).toContain(await ask(8001));
    await ensureFront(spec(['c', 'd']));
    await expect(ask(8001)).rejects.toThrow();
    await moveFront(spec(['d']));
    expect((await processesOf(site.home)).length).toBe(1);
    await ensureFront(spec(['c', 'd']));
    await finish(load);
  });

  test('a machine that dies in silence is out in two seconds, and its requests are answered by others', async () => {
    const load = await start();
    await sleep(2500);
    await site.silence('c');
    const died = Date.now();
    while ((await healthy()).includes('c')) await sleep(20);
    expect(Date.now() - died).toBeLessThan(2000);
    expect(await seen()).toEqual(['d']);
    await sleep(5000);
    await finish(load);
  });

  test('its process is killed: the next call brings it back', async () => {
    const [pid = 0] = await processesOf(site.home);
    process.kill(pid, 'SIGKILL');
    while ((await processesOf(site.home)).length > 0) await sleep(10);
    expect((await frontState(site.home)).state).toBe('stopped');
    await ensureFront(spec(['d']));
    expect(await seen()).toEqual(['d']);
  });

  test('a stranger at its port is named', async () => {
    const stranger = createServer().listen(8001, site.address);
    try {
      await expect(ensureFront(spec(['d'], [8000, 8001]))).rejects.toMatchObject({
        message: `${site.address}:8001: taken by somebody else`,
        details: [expect.stringContaining(`(process ${process.pid})`)],
      });
      expect(await seen()).toEqual(['d']);
    } finally {
      stranger.close();
    }
    await expect(ensureFront({ ...spec(['d']), address: '203.0.113.5' })).rejects.toThrow(
      'is no address of this computer',
    );
    await expect(ensureFront({ ...spec(['d']), environment: 'dev' })).rejects.toThrow('is of trial prod');
  });

  test('removed, it leaves nothing', async () => {
    await removeFront(site.home);
    expect([await processesOf(site.home), await readdir(dirname(site.home))]).toEqual([[], []]);
    await expect(ask()).rejects.toThrow();
  });
});
