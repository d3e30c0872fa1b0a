import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { ensureReaper, reaperBody, reaperOf, removeReaper } from '../../../infra/hosts/reaper.ts';
import { reaperScript } from '../../../infra/hosts/reaper-script.ts';
import { Engine } from '../../../infra/docker/api/client.ts';
import { ownerLabels } from '../../../infra/docker/labels.ts';
import { runtimeOf } from '../../../infra/workloads/runtimes.ts';
import { hostWith, record } from '../../pipelines/model/values.ts';
import { answeringEngine } from '../../support/answering-engine.ts';
import { PretendEngine } from '../../support/pretend-engine.ts';
import { ReaperFixture, translated, type Thing } from '../../support/reaper-fixture.ts';

const place = { app: 'shop', environment: 'try' };
const wanted = { ...place, image: 'caddy', deadline: 2000, socketPath: '/var/run/docker.sock' };
const id = (digit: string) => digit.repeat(64);
const own = (part: string, environment = 'try') => ownerLabels('shop', environment, part);
const container = (digit: string, labels: Record<string, string>, state = 'running'): Thing => ({
  ...{ kind: 'containers', id: id(digit) },
  ...{ labels, state },
});
const reaper = (digit: string, deadline: number, state?: string) =>
  container(digit, { ...own('reaper'), 'lockage.deadline': String(deadline) }, state);

const ends: (() => unknown)[] = [];
afterEach(() => Promise.all(ends.splice(0).map((end) => end())));

describe('a reaper', () => {
  const environment: Thing[] = [
    reaper('f', 2000),
    container('1', own('release')),
    container('2', own('edge'), 'exited'),
    { kind: 'networks', id: id('3'), labels: own('network') },
    { kind: 'volumes', id: 'shop-try-db-data', labels: own('accessory') },
    { kind: 'volumes', id: 'shop-try-lock.a1.over', labels: own('lock') },
  ];
  const neighbour: Thing[] = [
    container('a', own('release', 'try-2')),
    { kind: 'networks', id: id('b'), labels: own('network', 'try-2') },
    { kind: 'volumes', id: 'shop-try-2-live', labels: own('edge', 'try-2') },
    { kind: 'volumes', id: 'try', labels: { 'lockage.environment': 'try' } },
  ];
  const start = async (things: readonly Thing[]) => {
    const host = new ReaperFixture(place, things);
    ends.push(() => host.remove());
    await host.start(2000);
    await expect.poll(() => host.works).toBe(true);
    return host;
  };
  const untilGone = (host: ReaperFixture, left: readonly Thing[]) => expect.poll(() => host.things).toEqual(left);

  test('removes all that carries the labels of its environment after the deadline, itself at last, and nothing else', async () => {
    const host = await start([...environment, ...neighbour]);
    host.clock(1999);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(host.done).toEqual([]);
    host.clock(2000);
    await untilGone(host, neighbour);
    expect(host.done.slice(0, 4).sort()).toEqual([
      `remove containers/${id('1')}`,
      `remove containers/${id('2')}`,
      `stop containers/${id('1')}`,
      `stop containers/${id('2')}`,
    ]);
    expect(host.done.slice(4)).toEqual([
      `remove networks/${id('3')}`,
      'remove volumes/shop-try-db-data',
      'remove volumes/shop-try-lock.a1.over',
      `remove containers/${id('f')}`,
    ]);
  });

  test('begins at once where the deadline has passed, or the clock is set to after it', async () => {
    const host = new ReaperFixture(place, [...environment, ...neighbour]);
    ends.push(() => host.remove());
    host.clock(9000);
    await host.start(2000);
    await untilGone(host, neighbour);
  });

  test('does nothing while the clock cannot be read', async () => {
    const host = await start(environment);
    host.clock(NaN);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(host.done).toEqual([]);
    host.clock(2000);
    await untilGone(host, []);
  });

  const lock = (name: string, lease: string): Thing => ({
    ...{ kind: 'volumes', id: `shop-try-lock${name}` },
    labels: { ...own('lock'), 'lockage.lease': lease },
  });
  const idle = [...environment.filter(({ kind }) => kind !== 'volumes'), lock('.a1.over', '30')];
  const looked = async (host: ReaperFixture) => {
    const before = host.looks;
    await expect.poll(() => host.looks).toBeGreaterThan(before + 2);
  };

  test('waits while a command is at work, until the lease of its lock is over after the last renewal', async () => {
    const host = await start([...idle, lock('', '30')]);
    host.clock(2000);
    await looked(host);
    host.clock(2029);
    host.things = [...host.things, lock('.b2.1', '30')];
    await looked(host);
    host.clock(2058);
    await looked(host);
    expect(host.done).toEqual([]);
    host.clock(2060);
    await untilGone(host, []);
  });

  test('waits for an hour at most, and goes as soon as the lock is given back', async () => {
    const hung = await start([...idle, lock('', '3600')]);
    const ended = await start([...idle, lock('', '3600')]);
    for (const host of [hung, ended]) host.clock(2000);
    await Promise.all([looked(hung), looked(ended)]);
    hung.clock(5599);
    ended.things = idle;
    await Promise.all([looked(hung), untilGone(ended, [])]);
    expect(hung.done).toEqual([]);
    hung.clock(5600);
    await untilGone(hung, []);
  });

  test('waits for an hour at most where nobody says whether a command is at work', async () => {
    const host = await start([...idle, lock('', '30')]);
    host.hidesLocks = true;
    host.clock(2000);
    await looked(host);
    host.clock(5599);
    await looked(host);
    expect(host.done).toEqual([]);
    host.clock(5600);
    await untilGone(host, []);
  });

  test('is not led to others by labels that read as if they were names', async () => {
    const labels = { ...own('release'), Id: id('a'), Name: 'shop-try-2-live' };
    const host = await start([...environment, container('4', labels), ...neighbour]);
    host.clock(2000);
    await untilGone(host, neighbour);
    expect(host.done.filter((each) => each.includes(id('a')))).toEqual([]);
  });

  test('tries again what cannot be removed, and stays until nothing is left', async () => {
    const host = await start(environment);
    const refused = [`remove networks/${id('3')}`, 'remove volumes/shop-try-db-data', `remove containers/${id('1')}`];
    for (const each of refused) host.refused.add(each);
    host.clock(2000);
    await expect.poll(() => host.output).toContain('something is left: again in 4 s');
    expect(host.ids('containers')).toEqual([id('f'), id('1')]);
    host.refused.clear();
    await untilGone(host, []);
  });

  test('takes no answer of a busy engine for an environment that is gone', async () => {
    const host = await start(environment);
    host.isBusy = true;
    host.clock(2000);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(host.done).toEqual([]);
    host.isBusy = false;
    await untilGone(host, []);
  });

  test('waits for one with a later deadline that was started, and for no other', async () => {
    const later = reaper('e', 3000, 'exited');
    const host = await start([...environment, reaper('d', 1500), reaper('c', 4000, 'created'), later]);
    host.clock(2500);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(host.done).toEqual([]);
    host.things = host.things.filter((each) => each !== later);
    await untilGone(host, []);
    expect(host.done.at(-1)).toBe(`remove containers/${id('f')}`);
  });

  test('ends where the engine does not know it, so that it is looked for by the socket that is there then', async () => {
    const host = new ReaperFixture(place, neighbour);
    ends.push(() => host.remove());
    await host.start(0);
    await expect.poll(() => host.exitCode).toBe(1);
    expect([host.works, host.done]).toEqual([false, []]);
  });
});

describe('what a reaper may ask', () => {
  test.each([
    ['/containers', 'GET', '/containers/json?all=true', {}],
    ['/networks', 'GET', '/networks?', {}],
    ['/volumes', 'GET', '/volumes?', {}],
    [`/own/containers/${id('a')}`, 'GET', '/containers/json?all=true', { id: [id('a')] }],
    [`/own/networks/${id('a')}`, 'GET', '/networks?', { id: [id('a')] }],
    ['/own/volumes/shop-try.db', 'GET', '/volumes?', { name: ['^shop-try.db$'] }],
  ])('%s is limited to its environment by the engine', (asked, method, start, more) => {
    const found = translated(place, asked);
    const { searchParams } = new URL(found?.uri ?? '', 'http://engine');
    expect([found?.method, found?.uri.startsWith(start)]).toEqual([method, true]);
    const label = ['lockage.app=shop', 'lockage.environment=try'];
    expect(JSON.parse(searchParams.get('filters') ?? '')).toEqual({ label, ...more });
  });

  test.each([
    [`/stop/${id('a')}`, 'POST', `/containers/${id('a')}/stop`],
    [`/remove/containers/${id('a')}`, 'DELETE', `/containers/${id('a')}?force=true&v=true`],
    [`/remove/networks/${id('a')}`, 'DELETE', `/networks/${id('a')}`],
    ['/remove/volumes/shop-try-db', 'DELETE', '/volumes/shop-try-db'],
  ])('%s is one thing', (asked, method, uri) => expect(translated(place, asked)).toEqual({ method, uri }));

  test.each([
    '/',
    '/containers/json',
    '/remove/containers/web',
    '/remove/containers/..',
    '/remove/volumes/a/b',
    '/remove/volumes/..',
    `/remove/images/${id('a')}`,
    `/exec/${id('a')}`,
    `/stop/${id('a')}/x`,
  ])('%s is nothing', (asked) => expect(translated(place, asked)).toBeUndefined());
});

test('no text of anybody is in what a reaper runs, and it has the socket and nothing else', () => {
  const body = reaperBody({ ...wanted, socketPath: '/run/a b.sock' });
  expect(body.Entrypoint).toEqual(['sh', '-c', reaperScript]);
  expect(reaperScript).not.toMatch(/shop|try/);
  expect(reaperScript.split('\n').filter((line) => line.trim().startsWith('#'))).toEqual([]);
  expect(body.Labels).toEqual({ ...own('reaper'), 'lockage.deadline': '2000' });
  expect(body.HostConfig).toMatchObject({
    NetworkMode: 'none',
    ReadonlyRootfs: true,
    CapDrop: ['ALL'],
    RestartPolicy: { Name: 'always' },
    Mounts: [{ Type: 'bind', Source: '/run/a b.sock', Target: '/engine.sock', ReadOnly: true }],
  });
});

test.each([
  { app: 'shop"' },
  { environment: '$(reboot)' },
  { deadline: 1.5 },
  { deadline: NaN },
  { socketPath: 'docker.sock' },
])('%j is refused before anything is asked', async (wrong) => {
  const engine = new Engine({ host: 'prod-1', socketPath: '/nowhere' });
  await expect(ensureReaper(engine, { ...wanted, ...wrong })).rejects.toThrow(TypeError);
});

test('an environment on a swarm cannot go by itself', async () => {
  const { engine, close } = await answeringEngine({ '/info': { Swarm: { LocalNodeState: 'active' } } });
  ends.push(close);
  await expect(ensureReaper(engine, wanted)).rejects.toThrow(
    'try cannot go by itself, as its engine is part of a swarm',
  );
});

describe('on a host', () => {
  const opened = async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lockage-reaper-'));
    const host = new PretendEngine();
    const socketPath = join(folder, 'docker.sock');
    await host.listen(socketPath);
    const engine = new Engine({ host: 'prod-1', socketPath });
    ends.push(() => {
      engine.close();
      host.close();
      rmSync(folder, { recursive: true, force: true });
    });
    const add = async (name: string, deadline: number, runs: boolean, environment = 'try') => {
      const Labels = { ...own('reaper', environment), 'lockage.deadline': String(deadline) };
      await engine.createContainer(name, { Image: 'caddy', Labels });
      if (runs) await engine.startContainer(name);
    };
    const target = hostWith('prod-1', { url: `unix://${socketPath}` });
    return { host, engine, add, runtime: runtimeOf(target) };
  };

  test('the last deadline of those that run counts, until they are removed', async () => {
    const { host, engine, add } = await opened();
    expect(await reaperOf(engine, place)).toBeUndefined();
    await add('shop-try.reaper-1', 2000, true);
    await add('shop-try.reaper-2', 3000, true);
    await add('shop-try.reaper-3', 4000, false);
    await add('shop-try-2.reaper-1', 9000, true, 'try-2');
    expect(await reaperOf(engine, place)).toBe(3000);
    await removeReaper(engine, place);
    expect(await reaperOf(engine, place)).toBeUndefined();
    expect(host.containers()).toEqual(['shop-try-2.reaper-1 caddy running']);
  });

  test('a time that is over is not made longer', async () => {
    const { host, engine, add } = await opened();
    await add('shop-try.reaper-1', Math.floor(Date.now() / 1000) - 1, true);
    const later = { ...wanted, deadline: Math.floor(Date.now() / 1000) + 3600 };
    await expect(ensureReaper(engine, later)).rejects.toThrow('the time of try is over, and it is being removed');
    expect(host.containers()).toEqual(['shop-try.reaper-1 caddy running']);
  });

  test('status shows it when it does not run, and destroy removes it at last', async () => {
    const { host, engine, add, runtime } = await opened();
    await add('shop-try.reaper-1', 2000, true);
    await add('shop-try.reaper-2', 3000, false);
    await engine.createContainer('shop-try-web', { Image: 'web', Labels: own('release') });
    const look = { ...place, record: record([]), detailed: false, signal: new AbortController().signal };
    const { containers } = await runtime.view(engine, look);
    expect(containers.map(({ name }) => name).sort()).toEqual(['shop-try-web', 'shop-try.reaper-2']);
    const inventory = await runtime.inventory(engine, place, false);
    host.changes.length = 0;
    await runtime.removeInventory(engine, inventory, { withData: true, checkLock: async () => undefined });
    expect([host.changes[0], host.containers()]).toEqual(['remove shop-try-web', []]);
  });
});
