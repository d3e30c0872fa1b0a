import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startLoad } from '../../scripts/load/load.ts';
import { command } from '../support/engine-fixture.ts';
import { labsWork, setupTime, TestProject } from '../support/pipeline-fixture.ts';

// The tests of this file are one story: each goes on where the one before ended.
describe.runIf(labsWork)('things that go wrong on a swarm', () => {
  let project: TestProject;
  let now = '1.0.0';

  beforeAll(async () => {
    const prod = { hosts: 4, reach: 'unix' as const, managers: 3 };
    project = await TestProject.open({ environments: { dev: { hosts: 1, reach: 'unix' }, prod } }, { standby: 0 });
    const health = { path: '/healthz', timeout: '10s' };
    project.env['TOKEN'] = 'a token';
    await project.configure({
      roles: { web: { port: 8080, publish: 8000, health, secrets: ['TOKEN'], stop: '2s' } },
      secrets: { TOKEN: { env: 'TOKEN' } },
    });
    await project.configureEnvironment('dev', { standby: 1 });
    await project.configureEnvironment('prod', { roles: { web: { count: 4 } } });
    await project.publish({ '1.0.0': {}, '1.1.0': {}, '1.2.0': { unhealthy: true } });
  }, setupTime);

  afterAll(async () => project?.remove());

  const services = async () =>
    (await project.engine('prod-1').listServices({ 'lockage.environment': 'prod' })).map(
      ({ Spec: { Name, Labels } }) => ({
        name: Name,
        version: Labels['lockage.release'] ?? '',
      }),
    );
  const docker = (...words: string[]) => command('docker', '-H', project.lab.host('prod-3').dockerHost, ...words);
  const status = async () => (await project.succeed('status', '--env', 'prod')).json;
  const drift = async () => {
    const { code, json } = await project.run('drift', 'prod', '--json');
    const all = json.environments[0].hosts as { drift: { what: string; actual: string }[] }[];
    return all.flatMap((each) => each.drift.map(({ what, actual }) => ({ code, what, actual })));
  };
  const other = () => (now === '1.0.0' ? '1.1.0' : '1.0.0');

  async function expectClean(version: string): Promise<void> {
    expect(await project.versions('prod')).toEqual([version, version, version]);
    expect((await services()).map((service) => service.version)).toEqual([version]);
    expect(await status()).toMatchObject({ version, problems: [], hosts: { ready: 3, total: 3 } });
    expect(await project.leftProcesses()).toEqual([]);
  }

  async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
    for (const end = Date.now() + 240_000; !(await holds());) {
      if (Date.now() > end)
        throw new Error(`not within four minutes: ${what}; ${JSON.stringify((await status()).problems)}`);
      await sleep(500);
    }
  }

  test('are not in the way of a release that comes from an environment on hosts', async () => {
    for (const version of ['1.0.0', '1.1.0']) await project.succeed('promote', version, '--to', 'dev');
    await project.succeed('promote', now, '--to', 'prod');
    await expectClean(now);
    const failed = await project.promote('1.2.0', 'dev');
    const why = expect.stringMatching(/dev-1: web 1\.2\.0 was not healthy within 10 s/);
    expect([failed.code, failed.json?.error.message], failed.stderr).toEqual([3, why]);
    expect((await project.promote('1.2.0', 'prod')).code).toBe(2);
    const back = await project.succeed('rollback', 'dev');
    expect(back.json.trafficBack).toBeGreaterThan(0);
    expect(await project.versions('dev')).toEqual(['1.0.0']);
    await project.succeed('resume', 'dev');
    await project.succeed('promote', '1.1.0', '--to', 'dev');
  });

  test.each([
    ['when the first service was made', 'after:container'],
    ['when all managers switched', 'after:routes'],
    ['when the old service was removed', 'at:remove'],
  ])('a command that is killed %s is finished by the same command', async (_when, point) => {
    const next = other();
    const load = await startLoad({ urls: project.urls('prod'), rate: 50, connections: 'both' });
    await project.killedAt(point, 'promote', next, '--to', 'prod', '--yes');
    await project.succeed('promote', next, '--to', 'prod');
    now = next;
    await expectClean(next);
    const stats = await load.stop();
    expect(stats, JSON.stringify(stats.failures)).toMatchObject({ failed: 0 });
  });

  test('a service that is changed by hand during a promotion takes it back', async () => {
    await project.configure({ watch: '60s' });
    const running = project.start(['promote', other(), '--to', 'prod', '--yes', '--json']);
    await running.saw(/prod-3 +switch\b/);
    const added = (await services()).find(({ version }) => version === other());
    await docker('service', 'scale', '--detach', `${added?.name}=1`);
    const ended = await running.ended;
    expect([ended.code, ended.json?.error.message], ended.stderr).toEqual([
      3,
      expect.stringContaining('scaled by hand from 4 to 1'),
    ]);
    await project.configure({ watch: '1s' });
    await expectClean(now);
  });

  test('a service that is changed by hand afterwards is seen, and healed by another one', async () => {
    const [service] = await services();
    const byHand = ['--env-add', 'GREETING=by hand', '--host-add', 'db:10.0.0.9'];
    await docker('service', 'update', '--detach', ...byHand, service?.name ?? '');
    await until('it is seen', async () => (await status()).problems.length > 0);
    expect((await status()).problems).toEqual([`swarm: web ${now} is changed by hand: Env, Hosts`]);
    expect(await drift()).toEqual([{ code: 5, what: service?.name, actual: 'changed by hand: Env, Hosts' }]);
    const load = await startLoad({ urls: project.urls('prod'), rate: 50, connections: 'both' });
    const healed = await project.run('heal', 'prod', '--yes', '--json');
    expect((await load.stop()).failed).toBe(0);
    const [{ revision, treated }] = healed.json?.environments ?? [{}];
    expect([healed.code, revision?.kind], healed.stderr).toEqual([0, 'repair']);
    expect(treated).toMatchObject([{ host: 'swarm', what: service?.name, by: 'replace' }]);
    expect((await project.answers('prod')).map(({ greeting }) => greeting)).toEqual(['', '', '']);
    await expectClean(now);
    expect(await drift()).toEqual([]);
  });

  test('a node that stops is named, and what ran on it runs on the others', async () => {
    await project.lab.host('prod-4').stopDocker();
    await until('it is brought back', async () => {
      const { problems, hosts } = await status();
      const [web] = hosts.list.at(-1).containers;
      return problems.join() === 'swarm: node prod-4 is down' && web.state === 'running' && web.replicas === 4;
    });
    expect(await project.versions('prod')).toEqual([now, now, now]);
  });

  test('a node that is gone for good is forgotten, and one that joins takes its share of the next release', async () => {
    const node = project.lab.host('prod-4');
    const nodes = async () => (await project.engine('prod-3').listNodes()).map(({ ID }) => ID);
    const before = await nodes();
    await docker('node', 'rm', '--force', 'prod-4');
    await until('it is forgotten', async () => (await status()).problems.length === 0);
    await node.startDocker();
    await node.exec(['docker', 'swarm', 'leave', '--force']);
    const token = (await docker('swarm', 'join-token', '--quiet', 'worker')).trim();
    const manager = project.lab.host('prod-3').address;
    await node.exec(['docker', 'swarm', 'join', '--token', token, '--advertise-addr', node.address, `${manager}:2377`]);
    expect((await status()).problems).toEqual([]);

    const next = other();
    await project.succeed('promote', next, '--to', 'prod');
    now = next;
    await expectClean(now);
    const [joined] = (await nodes()).filter((id) => !before.includes(id));
    const [service] = await services();
    const tasks = await project.engine('prod-3').tasksOf(service?.name ?? '');
    const task = tasks.find(({ NodeID }) => NodeID === joined);
    expect(task?.Status.State).toBe('running');
    const ask = "fetch('http://localhost:8080').then(async (it) => console.log(await it.text()))";
    const container = task?.Status.ContainerStatus?.ContainerID ?? '';
    const answer = await project.engine('prod-4').exec(container, ['node', '-e', ask]);
    const secretHash = createHash('sha256').update('a token').digest('hex');
    expect(JSON.parse(answer.stdout)).toMatchObject({ version: now, host: 'prod-4', secretHash });
  });

  test('a manager that is lost is named and refuses promotions, while the others serve', async () => {
    await project.lab.host('prod-1').stopDocker();
    const serving = project.urls('prod').slice(1);
    // The other managers choose a leader, which asks all nodes anew: containers may move for a while.
    await until('it is brought back, and that is all', async () => {
      const [manager, node, ...others] = (await status()).problems;
      return manager?.startsWith('prod-1: ') && node === 'swarm: node prod-1 is down' && others.length === 0;
    });
    const load = await startLoad({ urls: serving, rate: 50, connections: 'both' });
    const refused = await project.promote(other(), 'prod');
    expect([refused.code, refused.json?.error.details], refused.stderr).toEqual([
      2,
      [expect.stringMatching(/^prod-1: /)],
    ]);
    const stats = await load.stop();
    expect(stats, JSON.stringify(stats.failures)).toMatchObject({ failed: 0 });
  });

  test('managers that are no majority serve on and change nothing, until enough of them are back', async () => {
    await project.lab.host('prod-2').stopDocker();
    const alone = project.urls('prod').slice(2);
    const load = await startLoad({ urls: alone, rate: 50, connections: 'both' });
    const leaderless = 'swarm: has no leader in reach: 2 of 3 managers do not answer';
    await until('it is seen', async () => (await status()).problems.at(-1) === leaderless);
    const seen = await project.succeed('status', '--env', 'prod');
    expect(seen.took).toBeLessThan(30_000);
    const away = ['prod-1', 'prod-2'].map((name) => expect.stringMatching(`^${name}: .* no Docker Engine listens at `));
    expect(seen.json.problems).toEqual([...away, leaderless]);

    const refused = await project.promote(other(), 'prod');
    expect([refused.code, refused.json?.error.details], refused.stderr).toEqual([
      2,
      [...away, expect.stringMatching(/^prod-3: its swarm (has no leader|does not answer)/)],
    ]);
    expect(refused.took).toBeLessThan(60_000);
    const stays = await project.rollback('prod');
    expect([stays.code, stays.json?.error.details.slice(0, 2)], stays.stderr).toEqual([2, away]);
    const stats = await load.stop();
    expect(stats, JSON.stringify(stats.failures)).toMatchObject({ failed: 0 });

    await Promise.all(['prod-1', 'prod-2'].map((name) => project.lab.host(name).startDocker()));
    // An engine that finds no leader for too long as it starts leaves its edge stopped; the promotion starts it.
    const edge = /^prod-[12]: the edge does not run$/;
    await until('they are back', async () => (await status()).problems.every((each: string) => edge.test(each)));
    expect(await project.versions('prod', alone)).toEqual([now]);
    const next = other();
    await project.succeed('promote', next, '--to', 'prod');
    now = next;
    await expectClean(now);
  });
});
