import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hostRecipe, machineImage } from '../../infra/machines/image/image.ts';
import { askSlots, sendCommands } from '../../infra/machines/load-balancer/admin.ts';
import {
  applyLoadBalancer,
  loadBalancerState,
  setBackends,
  moveBackends,
  removeLoadBalancer,
} from '../../infra/machines/load-balancer/load-balancer.ts';
import { processesOf } from '../../infra/machines/load-balancer/process.ts';
import { cacheFolder } from '../../infra/system/cache-folder.ts';
import { startLoad, type Load } from '../../scripts/load/load.ts';
import { run } from '../../scripts/tools/command.ts';
import { variablesOf } from '../support/engine-fixture.ts';
import { FrontSite } from '../support/load-balancer-fixture.ts';
import { labsWork, setupTime, TestProject } from '../support/pipeline-fixture.ts';

describe.runIf(labsWork)('a load balancer', () => {
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
  const ask = async (port = 8000) => {
    const answer = await fetch(url(port), { headers: { connection: 'close' } });
    return answer.headers.get('x-version') ?? `${answer.status} ${await answer.text()}`;
  };
  const seen = async (times = 12) => [...new Set(await Promise.all(Array.from({ length: times }, () => ask())))].sort();
  const healthy = async () =>
    (await loadBalancerState(site.home)).servers.filter((server) => server.healthy).map(({ name }) => name);
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
    expect((await loadBalancerState(site.home)).state).toBe('absent');
    await removeLoadBalancer(site.home);
    expect(existsSync(site.home)).toBe(false);
  });

  test('it spreads requests over them, and tells them who asked', async () => {
    await applyLoadBalancer(spec(['a', 'b']));
    expect(await seen()).toEqual(['a', 'b']);
    expect(await loadBalancerState(site.home)).toMatchObject({
      state: 'running',
      address: site.address,
      ports: [8000],
    });
    const lies = { 'x-forwarded-for': '192.0.2.1', 'x-forwarded-proto': 'https' };
    const told = (await (await fetch(url(), { headers: lies })).json()) as Record<string, string>;
    expect([told['x-forwarded-for'], told['x-forwarded-proto']]).toEqual([site.address, undefined]);
  });

  test('its process has none of the variables of whoever started it', async () => {
    const [pid = 0] = await processesOf(site.home);
    expect(await variablesOf(pid)).toEqual(['HOME', 'LC_ALL', 'PATH']);
  });

  test('made again, it is the same process', async () => {
    const before = await processesOf(site.home);
    await Promise.all([applyLoadBalancer(spec(['a', 'b'])), applyLoadBalancer(spec(['a', 'b']))]);
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
      await moveBackends(spec(names));
      // On a computer that is busy, one may be late with its answer to a check, and get no requests for a moment.
      await expect.poll(seen).toEqual([...names]);
    }
    // Whoever had a request there would notice.
    await Promise.all([site.kill('a'), site.kill('b')]);
    await sleep(500);
    await finish(load);
  });

  test('it does not move to machines that do not answer', async () => {
    await expect(moveBackends(spec(['a', 'c']), { answer: 300 })).rejects.toMatchObject({
      details: [`a at ${machines.a.address}:8000`],
    });
    expect(await healthy()).toEqual(['c', 'd']);
  });

  test('it gets another port, and loses it, without a failed request', async () => {
    const load = await start();
    await sleep(500);
    await applyLoadBalancer(spec(['c', 'd'], [8000, 8001]));
    expect(['c', 'd']).toContain(await ask(8001));
    await applyLoadBalancer(spec(['c', 'd']));
    await expect(ask(8001)).rejects.toThrow();
    await moveBackends(spec(['d']));
    expect((await processesOf(site.home)).length).toBe(1);
    await applyLoadBalancer(spec(['c', 'd']));
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

  test('it is led anew where a killed run has left it elsewhere', async () => {
    const places = { machines: '', keys: '', images: '', loadBalancers: dirname(site.home) };
    await applyLoadBalancer(spec(['d']));
    const slot = (await askSlots(site.home)).find(({ target }) => target.startsWith(`${machines.d.address}:`));
    await sendCommands(site.home, [`set server port-8000/${slot?.name} state maint`]);
    await setBackends(places, { environment: 'prod' }, spec(['d']).servers);
    await expect.poll(seen).toEqual(['d']);
  });

  test('its process is killed: the next call brings it back', async () => {
    const [pid = 0] = await processesOf(site.home);
    process.kill(pid, 'SIGKILL');
    while ((await processesOf(site.home)).length > 0) await sleep(10);
    expect((await loadBalancerState(site.home)).state).toBe('stopped');
    await applyLoadBalancer(spec(['d']));
    await expect.poll(seen).toEqual(['d']);
  });

  test('a stranger at its port is named', async () => {
    const stranger = createServer().listen(8001, site.address);
    try {
      await expect(applyLoadBalancer(spec(['d'], [8000, 8001]))).rejects.toMatchObject({
        message: `${site.address}:8001: taken by somebody else`,
        details: [expect.stringContaining(`(process ${process.pid})`)],
      });
      await expect.poll(seen).toEqual(['d']);
    } finally {
      stranger.close();
    }
    await expect(applyLoadBalancer({ ...spec(['d']), address: '203.0.113.5' })).rejects.toThrow(
      'is no address of this computer',
    );
    await expect(applyLoadBalancer({ ...spec(['d']), environment: 'dev' })).rejects.toThrow('is of trial prod');
  });

  test('removed, it leaves nothing', async () => {
    await removeLoadBalancer(site.home);
    expect([await processesOf(site.home), await readdir(dirname(site.home))]).toEqual([[], []]);
    await expect(ask()).rejects.toThrow();
  });
});

// The tests below are one story: each goes on where the one before ended.
describe.runIf(labsWork)('one address for several machines of an environment', () => {
  let project: TestProject;
  let url = '';

  beforeAll(async () => {
    await machineImage(join(cacheFolder(), 'machine-images'), hostRecipe);
    project = await TestProject.open({ environments: { dev: { hosts: 1, reach: 'unix' } } });
    await project.configure({ pipeline: ['dev', 'prod'], standby: 1 });
    await project.configureMachines('prod', { kind: 'lxc', count: 2 });
    await project.publish({ '1.0.0': {}, '1.1.0': {} });
    for (const version of ['1.0.0', '1.1.0']) await project.succeed('promote', version, '--to', 'dev');
    await project.succeed('promote', '1.0.0', '--to', 'prod');
    url = ((await front()).urls as string[])[0] ?? '';
  }, setupTime);

  afterAll(async () => {
    await project?.run('destroy', 'prod', '--yes', '--volumes');
    await project?.remove();
  }, 120_000);

  const front = async () => (await project.run('status', '--env', 'prod', '--json')).json.front;
  const names = async () => ((await front()).servers as { name: string }[]).map(({ name }) => name);
  const version = async () => (await project.versions('prod', [`${url}/`]))[0];
  const home = () => join(project.folder, '.lockage/fronts/prod');
  const start = () =>
    startLoad({ urls: [`${url}/`], rate: 60, connections: 'both', slow: { path: '/slow?ms=2000', everyMs: 250 } });
  const finish = async (load: Load) => {
    const stats = await load.stop();
    expect(stats, JSON.stringify(stats.failures)).toMatchObject({ failed: 0 });
    expect(stats.slow.ok).toBe(stats.slow.sent);
  };

  test('is shown, and leads to the release', async () => {
    const { json } = await project.run('host', 'ls', 'prod', '--json');
    const servers = ['prod-1', 'prod-2'].map((name) => ({ name, healthy: true }));
    expect(json.fronts).toMatchObject([{ environment: 'prod', urls: [url], state: 'running', servers }]);
    expect(url).toMatch(/^http:\/\/10\.\d+\.\d+\.1:8000$/);
    expect((await project.run('status')).stdout).toContain(`load balancer ${url} → prod-1, prod-2`);
    expect(await version()).toBe('1.0.0');
    // From an address of this computer that is not the load balancer's own.
    const visitor = ['curl', '-s', '--interface', '127.0.0.1', `${url}/visitor`];
    expect(JSON.parse(await run(visitor))).toMatchObject({ visitor: expect.stringMatching(/^127\.0\.0\.1, 10\./) });
  });

  test('is another address of this computer where one is configured', { timeout: 60_000 }, async () => {
    const address = `127.77.${process.pid % 250}.${Math.floor(process.pid / 250) % 250}`;
    const promoted = async (machines: Record<string, unknown>) => {
      await project.configureMachines('prod', { kind: 'lxc', count: 2, ...machines });
      return project.promote('1.0.0', 'prod');
    };
    const foreign = await promoted({ address });
    expect([foreign.code, foreign.json?.error.message]).toEqual([2, `${address} is no address of this computer`]);
    expect(await version()).toBe('1.0.0');
    await run(['ip', 'address', 'add', `${address}/32`, 'dev', 'lo']);
    try {
      const moved = await promoted({ address });
      expect(moved.code, moved.stderr).toBe(0);
      expect(moved.stderr).toContain(`the load balancer becomes http://${address}:8000 first`);
      expect(await project.versions('prod', [`http://${address}:8000/`])).toEqual(['1.0.0']);
      expect((await front()).urls).toEqual([`http://${address}:8000`]);
      expect((await promoted({})).code).toBe(0);
    } finally {
      await run(['ip', 'address', 'del', `${address}/32`, 'dev', 'lo']);
    }
    expect([(await front()).urls, await version()]).toEqual([[url], '1.0.0']);
  });

  test(
    'fails no request while releases come and go, and machines leave and come back',
    { timeout: 120_000 },
    async () => {
      const load = await start();
      const [pid] = await processesOf(home());
      await project.succeed('promote', '1.1.0', '--to', 'prod');
      await project.succeed('rollback', 'prod');
      expect(await version()).toBe('1.0.0');
      await project.succeed('resume', 'prod');
      await project.succeed('promote', '1.1.0', '--to', 'prod');
      expect(await version()).toBe('1.1.0');
      await project.succeed('host', 'cordon', 'prod-2', '--env', 'prod');
      expect(await names()).toEqual(['prod-1']);
      const back = await project.run('host', 'uncordon', 'prod-2', '--env', 'prod', '--yes');
      expect(back.code, back.stderr).toBe(0);
      expect(await names()).toEqual(['prod-1', 'prod-2']);
      expect(await processesOf(home())).toEqual([pid]);
      await finish(load);
    },
  );

  test('fails no request while what somebody changed on a machine is found and healed', async () => {
    const machines = join(project.folder, '.lockage/machines');
    const inside = (...argv: string[]) =>
      run(['lxc-attach', '-P', machines, '-n', 'trial-prod-machine-1', '--clear-env', '--', ...argv]);
    const serving = await inside('docker', 'ps', '--filter', 'label=lockage.release=1.1.0', '--format', '{{.Names}}');
    await inside('docker', 'update', '--pids-limit', '77', serving.trim());
    const found = await project.run('drift', 'prod', '--json');
    expect([found.code, found.json.environments[0].hosts], found.stderr).toMatchObject([
      5,
      [{ drift: [{ what: serving.trim(), member: 'HostConfig.PidsLimit', actual: '77' }] }, {}],
    ]);
    const load = await start();
    const healed = await project.run('heal', 'prod', '--yes', '--json');
    expect(healed.code, healed.stderr).toBe(0);
    await finish(load);
    expect((await project.run('drift', 'prod', '--json')).code).toBe(0);
    expect(await version()).toBe('1.1.0');
  });

  test('goes on when a machine dies', { timeout: 60_000 }, async () => {
    const load = await start();
    await sleep(1000);
    const machines = join(project.folder, '.lockage/machines');
    await run(['lxc-stop', '-P', machines, '-n', 'trial-prod-machine-2', '--kill']);
    await sleep(5500);
    await finish(load);
    expect((await loadBalancerState(home())).servers.map(({ healthy }) => healthy)).toEqual([true, false]);
  });

  test('is brought back by a promotion, with its machines', { timeout: 60_000 }, async () => {
    for (const pid of await processesOf(home())) process.kill(pid, 'SIGKILL');
    const status = await project.run('status', '--env', 'prod', '--json');
    expect(status.json.problems).toContain(
      `the load balancer ${url} does not run: \`lockage promote 1.1.0 --to prod\` starts it again`,
    );
    const result = await project.promote('1.1.0', 'prod');
    expect(result.code, result.stderr).toBe(0);
    expect(result.stderr).toContain(`the load balancer ${new URL(url).hostname} is started first`);
    expect([await version(), await names()]).toEqual(['1.1.0', ['prod-1', 'prod-2']]);
  });

  test('and its machines serve again after a power cut of the computer, by what a start of it runs', async () => {
    const machines = join(project.folder, '.lockage/machines');
    for (const name of ['trial-prod-machine-1', 'trial-prod-machine-2'])
      await run(['lxc-stop', '-P', machines, '-n', name, '--kill']);
    for (const pid of await processesOf(home())) process.kill(pid, 'SIGKILL');
    await run(['ip', 'link', 'delete', project.bridge('prod')]);
    const started = await project.run('machines', 'start', '--json');
    expect([started.code, started.json?.machines], started.stderr).toEqual([
      0,
      ['prod-1', 'prod-2'].map((host) => ({ environment: 'prod', host, runs: true })),
    ]);
    await expect.poll(version, { timeout: 60_000 }).toBe('1.1.0');
    expect((await project.run('status', '--check', '--json')).code).toBe(0);
  });

  test('goes with the environment to the last trace', { timeout: 60_000 }, async () => {
    await project.succeed('destroy', 'prod');
    expect([await processesOf(home()), await readdir(dirname(home()))]).toEqual([[], []]);
    expect(await project.leftProcesses(2000)).toEqual([]);
  });
});
