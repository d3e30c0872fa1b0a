import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startLoad, type Load } from '../../scripts/load/load.ts';
import { labsWork, setupTime, TestProject } from '../support/pipeline-fixture.ts';

describe.runIf(labsWork)('a promotion that is cut short', () => {
  let project: TestProject;
  let load: Load | undefined;
  let now = '1.0.0';

  beforeAll(async () => {
    // Without a standby every promotion makes and removes containers.
    const settings = { standby: 0, watch: '1s' };
    project = await TestProject.open(
      { app: 'small-app', environments: { prod: { hosts: 2, reach: 'unix' } } },
      settings,
    );
    await project.publish({ '1.0.0': {}, '1.1.0': {}, '1.2.0': { unhealthy: true } });
  }, setupTime);

  afterAll(async () => project?.remove());

  afterEach(async () => {
    const stats = await load?.stop();
    load = undefined;
    if (stats) expect(stats, JSON.stringify(stats.failures)).toMatchObject({ failed: 0 });
  });

  async function startUsers(): Promise<Load> {
    load = await startLoad({ urls: project.urls('prod'), rate: 50, connections: 'both' });
    return load;
  }

  /** Everything is as after a promotion that nothing had happened to. */
  async function expectClean(version: string): Promise<void> {
    expect(await project.versions('prod')).toEqual([version, version]);
    expect(await project.releaseContainers('prod')).toEqual([`prod-1 ${version} running`, `prod-2 ${version} running`]);
    for (const { volumes, networks } of Object.values(await project.snapshot('prod'))) {
      expect(volumes).toEqual(['trial-prod-live']);
      expect(networks).toEqual(['bridge', 'host', 'none', 'trial-prod']);
    }
    // Docker's plugin looks every five minutes whether the Pulumi that started it is still there.
    expect(await project.leftProcesses(20_000, /pulumi-resource-docker/)).toEqual([]);
    const status = (await project.succeed('status', '--env', 'prod')).json;
    expect(status).toMatchObject({ version, problems: [], hosts: { ready: 2, total: 2 } });
    expect(status.lock).toBeUndefined();
    for (const { routes } of status.hosts.list) expect(routes).toBe('as recorded');
  }

  test.each([
    ['when a first edge was made', 'after:edge'],
    ['when all of it was made', 'after:foundation'],
  ])('the first one, %s, is finished by the same command', async (_when, point) => {
    await project.killedAt(point, 'promote', now, '--to', 'prod', '--yes');
    await project.succeed('promote', now, '--to', 'prod');
    await expectClean(now);
    await project.succeed('destroy', 'prod');
  });

  test.each([
    ['when the release was found', 'at:resolve'],
    ['when it holds the lock', 'at:pull'],
    ['when the image is on the first host', 'at:pulled'],
    ['before the stack is changed', 'at:deploy'],
    ['when the first container was made', 'after:container'],
    ['when all containers are healthy', 'after:verification'],
    ['when the first host switched', 'at:switch'],
    ['when all hosts switched', 'after:routes'],
    ['when the switch was confirmed', 'after:watch'],
    ['while it is recorded', 'after:ledger'],
    ['when the first old container was removed', 'at:remove'],
  ])('%s is finished by the same command', async (_when, point) => {
    if ((await project.releaseContainers('prod')).length === 0) await project.succeed('promote', now, '--to', 'prod');
    const next = now === '1.0.0' ? '1.1.0' : '1.0.0';
    await startUsers();
    await project.killedAt(point, 'promote', next, '--to', 'prod', '--yes');
    await project.succeed('promote', next, '--to', 'prod');
    now = next;
    await expectClean(next);
  });

  test('while its edges are replaced is finished by the same command, also with what was before', async () => {
    await project.succeed('promote', now, '--to', 'prod');
    const one = `${project.lab.registry}/lockage-base/edge`;
    const two = `${project.lab.registry}/edge:two`;
    await project.docker('pull', '--quiet', one);
    await project.docker('tag', one, two);
    await project.docker('push', '--quiet', two);
    for (const [point, image] of [
      ['replace:aside', one],
      ['replace:stopped', two],
    ] as const) {
      await project.configure({ edge: { image: two } });
      await project.killedAt(point, 'promote', now, '--to', 'prod', '--yes');
      await project.configure({ edge: { image } });
      await project.succeed('promote', now, '--to', 'prod');
      await expectClean(now);
      for (const host of ['prod-1', 'prod-2']) {
        const found = await project.engine(host).listContainers({ all: true, labels: { 'lockage.app': 'trial' } });
        const edges = found.filter(({ Labels }) => Labels['lockage.part']?.startsWith('edge'));
        expect(edges.map(({ Names, Labels }) => [Names, Labels['lockage.image']])).toEqual([
          [['/trial-prod-edge'], image],
        ]);
      }
      await project.configure({ edge: { image: one } });
      await project.succeed('promote', now, '--to', 'prod');
    }
  });

  test('when the switch was confirmed goes back by promoting what is recorded', async () => {
    const next = now === '1.0.0' ? '1.1.0' : '1.0.0';
    await startUsers();
    await project.killedAt('after:watch', 'promote', next, '--to', 'prod', '--yes');

    const back = await project.promote(now, 'prod');
    expect([back.code, back.json?.outcome], back.stderr).toEqual([0, 'unchanged']);
    await expectClean(now);
  });

  test('when the switch was confirmed is not what the next one goes back to, which says so', async () => {
    const next = now === '1.0.0' ? '1.1.0' : '1.0.0';
    await project.succeed('promote', now, '--to', 'prod');
    await startUsers();
    await project.killedAt('after:watch', 'promote', next, '--to', 'prod', '--yes');
    expect(await project.versions('prod')).toEqual([next, next]);

    const failed = await project.promote('1.2.0', 'prod');
    expect([failed.code, failed.json?.error.details], failed.stderr).toEqual([
      5,
      expect.arrayContaining([`all hosts serve ${now}, as recorded`]),
    ]);
    expect(await project.versions('prod')).toEqual([now, now]);
    // What was killed had made containers of an earlier release again: they are kept to go back to, until the next promotion.
    await project.succeed('promote', now, '--to', 'prod');
    await expectClean(now);
  });

  test('between switch and confirmation is taken back by the hosts themselves', async () => {
    const next = now === '1.0.0' ? '1.1.0' : '1.0.0';
    const users = await startUsers();
    const words = ['promote', next, '--to', 'prod', '--yes', '--json'];
    const killed = await project.start(words, { LOCKAGE_FAILPOINT: 'after:routes' }).ended;
    expect(killed.signal, killed.stderr).toBe('SIGKILL');
    expect(await project.versions('prod')).toEqual([next, next]);

    // The users have to have seen the switch before they can see it taken back.
    await users.waitUntilVersion(next, project.urls('prod'), 60_000);
    await users.waitUntilVersion(now, project.urls('prod'), 60_000);
    expect(await project.versions('prod')).toEqual([now, now]);
  });

  test('by Ctrl-C during verification or watch goes back within seconds', async () => {
    const next = now === '1.0.0' ? '1.1.0' : '1.0.0';
    await project.succeed('promote', now, '--to', 'prod');
    const before = await project.snapshot('prod');
    // Plugins of runs that were killed, in the tests before.
    const earlier = (await project.leftProcesses(0)).map((line) => `^${line.split(' ')[0]} `);
    await startUsers();
    const web = { port: 8080, publish: 8000, health: { path: '/healthz', timeout: '60s' }, stop: '4s' };
    await project.configure({ roles: { web }, watch: '60s' });

    for (const [version, moment] of [
      ['1.2.0', /prod-2 +start /],
      [next, /prod-2 +switch\b/],
    ] as const) {
      const running = project.start(['promote', version, '--to', 'prod', '--yes', '--json']);
      await running.saw(moment);
      const asked = performance.now();
      running.kill('SIGINT');
      const stopped = await running.ended;
      expect([stopped.code, stopped.signal], stopped.stderr).toEqual([130, null]);
      expect(performance.now() - asked).toBeLessThan(30_000);
      expect(await project.versions('prod')).toEqual([now, now]);
      expect(await project.snapshot('prod')).toEqual(before);
    }
    expect(await project.leftProcesses(20_000, new RegExp(earlier.join('|') || '^$'))).toEqual([]);
  });
});
