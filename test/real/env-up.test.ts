import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ownerLabels } from '../../infra/docker/labels.ts';
import { labsWork, setupTime, TestProject, type CommandResult, type Snapshot } from '../support/pipeline-fixture.ts';

// One story: each test goes on where the one before ended.
describe.runIf(labsWork)('an environment with a time', () => {
  let project: TestProject;
  let before: Snapshot;
  /** where pr-1 is visited, and until when it is there */
  let url = '';
  let until = 0;

  beforeAll(async () => {
    const environments = { prod: { hosts: 1, reach: 'ssh' }, other: { hosts: 1, reach: 'unix' } } as const;
    project = await TestProject.open({ app: 'small-app', environments });
    await rm(join(project.folder, 'environments/other.yaml'));
    const health = { path: '/healthz', timeout: '5s' };
    await project.configure({ pipeline: ['prod'], roles: { web: { port: 8080, publish: 8000, health, stop: '1s' } } });
    await project.publish({ '1.0.0': {}, '1.1.0': {}, '1.2.0': { unhealthy: true } });
    await project.succeed('promote', '1.0.0', '--to', 'prod');
    before = await project.snapshot('prod');
  }, setupTime);

  afterAll(async () => project?.remove());

  /** Returns everything of an environment on a host. */
  const thingsOf = async (host: string, environment: string) => {
    const own = { 'lockage.app': 'trial', 'lockage.environment': environment };
    const engine = project.engine(host);
    const [containers, networks, volumes] = await Promise.all([
      engine.listContainers({ all: true, labels: own }),
      engine.listNetworks(own),
      engine.listVolumes(own),
    ]);
    return [...containers.map(({ Names }) => Names[0]), ...networks, ...volumes.map(({ Name }) => Name)];
  };
  const reapersOf = async (host: string, environment: string) => {
    const found = await project
      .engine(host)
      .listContainers({ all: true, labels: ownerLabels('trial', environment, 'reaper') });
    return found.map(({ Id }) => Id);
  };
  const untilGone = (host: string, environment: string) =>
    expect.poll(() => thingsOf(host, environment), { timeout: 60_000, interval: 300 }).toEqual([]);
  const succeeded = ({ code, stderr, json }: CommandResult) => {
    expect(code, stderr).toBe(0);
    return json;
  };
  const up = async (...words: string[]) => succeeded(await project.run('env', 'up', ...words, '--yes', '--json'));
  const list = async () => succeeded(await project.run('env', 'ls', '--json'));
  const folderOf = (name: string) => join(project.folder, '.lockage/reproductions', name);

  test('what cannot be is refused before anything is there', async () => {
    for (const [words, message] of [
      [['--on', 'prod-9'], 'no host is called prod-9'],
      [['--ttl', '5s'], '--ttl takes a time from 10s to 30d'],
      [['--release', '9.9.9'], 'there is no release 9.9.9'],
    ] as const) {
      const { code, json } = await project.run('env', 'up', 'pr-1', '--from', 'prod', ...words, '--json');
      expect([code, json.error.message]).toEqual([2, expect.stringContaining(message)]);
    }
    const { code, json } = await project.run('env', 'up', 'pr-1', '--from', 'prod', '--on', 'prod-1', '--json');
    expect([code, json.error.message]).toEqual([2, expect.stringContaining('confirmation')]);
    expect([existsSync(folderOf('pr-1')), await project.snapshot('prod')]).toEqual([false, before]);
  });

  test('runs another release on a named host, beside what runs there, and its URL is told', async () => {
    const words = ['pr-1', '--from', 'prod', '--release', '1.1.0', '--on', 'prod-1', '--ttl', '1h'];
    const json = await up(...words);
    expect(json).toMatchObject({ outcome: 'promoted', environment: 'pr-1', ports: { 8000: expect.any(Number) } });
    expect(json.differences).toContainEqual(expect.objectContaining({ what: 'release', here: '1.1.0' }));
    url = json.urls[0].url;
    until = Date.parse(json.until);
    expect(url).toBe(`http://${project.lab.host('prod-1').address}:${json.ports[8000]}/`);
    expect(json.ports[8000]).not.toBe(8000);
    expect(Math.abs(until - Date.now() - 3_600_000)).toBeLessThan(120_000);
    expect([await project.versions('pr-1', [url]), await project.versions('prod')]).toEqual([['1.1.0'], ['1.0.0']]);
    const reapers = await reapersOf('prod-1', 'pr-1');
    const again = await up(...words);
    expect([again.outcome, again.until]).toEqual(['unchanged', json.until]);
    expect([reapers.length, await reapersOf('prod-1', 'pr-1')]).toEqual([1, reapers]);
  });

  test('is listed, and known to every command by its name', async () => {
    const { environments } = await list();
    expect(environments).toEqual([
      expect.objectContaining({
        ...{ name: 'pr-1', from: { environment: 'prod', revision: 1 }, version: '1.1.0', state: 'serves' },
        ...{ until: new Date(until).toISOString(), urls: [{ role: 'web', url }], problems: [] },
      }),
    ]);
    const shown = await project.run('env', 'ls');
    expect(shown.stdout).toContain(url);
    const status = succeeded(await project.run('status', '--json'));
    expect(status.environments.map((each: any) => [each.name, each.version, each.reproduces?.until])).toEqual([
      ['prod', '1.0.0', undefined],
      ['pr-1', '1.1.0', new Date(until).toISOString()],
    ]);
    expect((await project.run('logs', '-e', 'pr-1')).code).toBe(0);
  });

  test('has more time where it is given some, and goes by itself when it is over', async () => {
    const longer = await up('pr-1', '--ttl', '2h');
    expect(longer.outcome).toBe('prolonged');
    expect(Date.parse(longer.until) - until).toBeGreaterThan(3_000_000);
    expect(await reapersOf('prod-1', 'pr-1')).toHaveLength(1);
    expect((await list()).environments[0].until).toBe(longer.until);
    await up('pr-1', '--ttl', '10s');
    await untilGone('prod-1', 'pr-1');
    expect([await project.snapshot('prod'), await project.versions('prod')]).toEqual([before, ['1.0.0']]);
    const { code, json } = await project.run('drift', 'pr-1', '--json');
    const refused = json.error.message;
    expect([code, refused]).toEqual([
      2,
      expect.stringMatching(/^the time of pr-1 was over at .*: nothing of it is left on prod-1$/),
    ]);
    const status = succeeded(await project.run('status', '--json'));
    expect(status.environments[1]).toMatchObject({ name: 'pr-1', problems: [], warnings: [refused] });
    expect([await list(), existsSync(folderOf('pr-1'))]).toEqual([{ environments: [], gone: ['pr-1'] }, false]);
  });

  const killedOn = () => ['pr-2', '--from', 'prod', '--on', project.lab.host('other-1').dockerHost];

  test('each worker of a test command has one, and they go with it', async () => {
    project.env['DOCKER_HOST'] = project.lab.host('other-1').dockerHost;
    // The loopback of that host is not that of the tests.
    project.env['VIA'] = project.lab.host('other-1').address;
    const script = `for (const n of [1, 2]) {
      const url = new URL(process.env['LOCKAGE_URL_' + n]);
      url.hostname = process.env.VIA;
      console.log(await (await fetch(url)).text(), process.env['LOCKAGE_ENVIRONMENT_' + n]);
    }`;
    const command = [process.execPath, '--input-type=module', '--eval', script];
    const words = ['test', '--environment', 'prod', '--parallel', '2', '--ttl', '1h', '--', ...command];
    const { code, stdout, stderr } = await project.run(...words);
    expect(code, stderr).toBe(0);
    const names = [...stdout.matchAll(/1\.0\.0.* (test-[0-9a-f]{6}-[12])$/gm)].map(([, name = '']) => name);
    expect(names).toHaveLength(2);
    for (const name of names)
      expect([await thingsOf('other-1', name), existsSync(folderOf(name))]).toEqual([[], false]);
    expect((await project.run('test', '--environment', 'prod', '-p', '1', '--', 'false')).code).toBe(1);
  });

  test('one of a test command that is killed goes, too', async () => {
    const words = ['test', '--environment', 'prod', '-p', '1', '--', 'sleep', '20'];
    const killed = project.start(words);
    const name = async () => (await list()).environments.find((each: any) => each.name.startsWith('test-'))?.name ?? '';
    await expect
      .poll(async () => thingsOf('other-1', await name()).then((all) => all.length), { timeout: 60_000 })
      .toBeGreaterThan(2);
    const left = await name();
    killed.kill('SIGKILL');
    await killed.ended;
    await untilGone('other-1', left);
    await expect.poll(() => existsSync(folderOf(left)), { timeout: 30_000 }).toBe(false);
    project.env['DOCKER_HOST'] = project.lab.builder.dockerHost;
  });

  test('is left half made where its command is killed', async () => {
    // Its lock counts for as long as its lease after it was last renewed.
    project.env['LOCKAGE_LEASE'] = '10';
    await project.killedAt('after:container', 'env', 'up', ...killedOn(), '--ttl', '25s', '--yes');
    delete project.env['LOCKAGE_LEASE'];
    expect((await thingsOf('other-1', 'pr-2')).length).toBeGreaterThan(2);
  });

  test('leaves nothing when its release does not become healthy', async () => {
    const words = ['--from', 'prod', '--release', '1.2.0', '--on', 'prod-1', '--yes', '--json'];
    const { code, json } = await project.run('env', 'up', 'pr-3', ...words);
    expect([code, json.error.message]).toEqual([3, expect.any(String)]);
    expect([await project.snapshot('prod'), existsSync(folderOf('pr-3'))]).toEqual([before, false]);
  });

  test('leaves nothing when it is interrupted', async () => {
    const command = project.start(['env', 'up', 'pr-4', '--from', 'prod', '--on', 'prod-1', '--yes', '--json']);
    await command.saw(/deploy/);
    expect(await reapersOf('prod-1', 'pr-4')).toHaveLength(1);
    command.kill('SIGINT');
    const { code, stderr } = await command.ended;
    expect(code, stderr).toBe(130);
    expect([await project.snapshot('prod'), existsSync(folderOf('pr-4'))]).toEqual([before, false]);
  });

  test('leaves nothing when its command was killed in the middle, and is made and removed on any engine', async () => {
    await untilGone('other-1', 'pr-2');
    expect(await up(...killedOn())).toMatchObject({ outcome: 'promoted', ports: { 8000: expect.any(Number) } });
    succeeded(await project.run('env', 'down', 'pr-2', '--yes', '--json'));
    expect([await thingsOf('other-1', 'pr-2'), existsSync(folderOf('pr-2'))]).toEqual([[], false]);
  });
});
