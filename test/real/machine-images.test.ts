import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hostRecipe, machineImage } from '../../infra/machines/image/image.ts';
import { cacheFolder } from '../../infra/system/cache-folder.ts';
import { startLoad } from '../../scripts/load/load.ts';
import { run } from '../../scripts/tools/command.ts';
import { labsWork, setupTime, TestProject } from '../support/pipeline-fixture.ts';

/** Machines are made, started and removed: ms. */
const replacing = 180_000;

// The tests of this file are one story: each goes on where the one before ended.
describe.runIf(labsWork)('machines of a new image', () => {
  const cache = join(cacheFolder(), 'machine-images');
  let project: TestProject;
  let built: string | undefined;

  beforeAll(async () => {
    await machineImage(cache, hostRecipe);
    project = await TestProject.open({ app: 'small-app', environments: { dev: { hosts: 1, reach: 'unix' } } });
    await project.configure({ pipeline: ['dev', 'qa', 'prod'], standby: 1, secrets: { TOKEN: { env: 'TOKEN' } } });
    await project.configure({ roles: roles('TOKEN') });
    project.env['TOKEN'] = 'first';
    for (const environment of ['qa', 'prod']) await own(environment);
    await project.publish({ '1.0.0': {}, '1.1.0': {} });
    for (const version of ['1.0.0', '1.1.0']) await project.succeed('promote', version, '--to', 'dev');
    for (const environment of ['qa', 'prod']) await project.succeed('promote', '1.0.0', '--to', environment);
    await project.succeed('promote', '1.1.0', '--to', 'qa');
    built = (await project.succeed('vm-image', 'build', '1.1.0')).json.images[0].digest;
  }, 2 * setupTime);

  afterAll(async () => {
    for (const environment of ['qa', 'prod']) await project?.run('destroy', environment, '--yes', '--volumes');
    await project?.remove();
    // Nobody else knows of it.
    if (built !== undefined) await rm((await machineImage(cache, hostRecipe, built)).folder, { recursive: true });
  }, replacing);

  const roles = (secret: string) => ({
    web: { port: 8080, publish: 8000, health: { path: '/healthz', timeout: '10s' }, stop: '2s', secrets: [secret] },
  });
  const own = (environment: string, settings: Record<string, unknown> = {}) =>
    project.configureMachines(environment, { kind: 'lxc', count: 1 }, settings);
  const hosts = async (environment: string) => {
    const { json } = await project.run('host', 'ls', environment, '--json');
    return json.hosts as { name: string; address: string; state: string }[];
  };
  const versions = async (environment: string) =>
    project.versions(
      environment,
      (await hosts(environment)).map(({ address }) => `http://${address}:8000/`),
    );
  /** The one address of an environment, which stays when its machines are replaced. */
  const front = async (environment: string) => {
    const { json } = await project.succeed('host', 'ls', environment);
    return `${json.fronts[0].urls[0]}/`;
  };
  const names = async (environment: string) => (await hosts(environment)).map(({ name }) => name);
  const folders = async () => (await readdir(join(project.folder, '.lockage/machines'))).toSorted();
  const images = async () =>
    (await project.succeed('vm-image', 'ls')).json.images as {
      version: string;
      digest: string;
      environments: string[];
    }[];

  test('are of the one that the environment before has, as long as nobody promotes another', async () => {
    const listed = await images();
    expect(listed.map(({ version, environments }) => [version, environments])).toEqual([
      ['1.1.0', []],
      ['1.0.0', ['qa', 'prod']],
    ]);
    expect(new Set(listed.map(({ digest }) => digest)).size).toBe(2);
    const again = await project.run('vm-image', 'build', '1.1.0', '--json');
    expect([again.code, again.json?.error.message]).toEqual([2, 'there is an image 1.1.0 of lxc machines already']);
  });

  test('may not enter where nothing has proven them in the environment before', async () => {
    const refused = await project.run('vm-image', 'promote', '1.1.0', '--to', 'prod', '--yes', '--json');
    expect([refused.code, refused.json?.error.details], refused.stderr).toEqual([
      2,
      ['nothing has run on image 1.1.0 in qa'],
    ]);
    expect(await folders()).toEqual(['trial-prod-machine-1', 'trial-qa-machine-1']);
  });

  test('bring in no other change past the gates', async () => {
    await own('qa', { env: { GREETING: 'hello' } });
    const refused = await project.run('vm-image', 'promote', '1.1.0', '--to', 'qa', '--yes', '--json');
    expect(refused.code, refused.stderr).toBe(2);
    expect(refused.json?.error.message).toMatch(/^the configuration of qa has changed since revision/);
    await own('qa');
  });

  test('are shown in the plan, and not made by it', async () => {
    const plan = await project.run('vm-image', 'promote', '1.1.0', '--to', 'qa', '--plan', '--json');
    expect([plan.code, plan.json?.plan.notes], plan.stderr).toEqual([
      0,
      ['qa-1b of image 1.1.0 take over from qa-1 of image 1.0.0'],
    ]);
    expect(await folders()).toEqual(['trial-prod-machine-1', 'trial-qa-machine-1']);
  });

  test.each([
    ['before they were recorded', 'after:machine', '1.1.0', '1.0.0'],
    ['when they were verified', 'after:verification', '1.0.0', '1.1.0'],
  ])(
    'are gone after the next promotion where the command was killed %s, and the others serve on',
    { timeout: replacing },
    async (_when, point, serving, next) => {
      await project.killedAt(point, 'vm-image', 'promote', '1.1.0', '--to', 'qa', '--yes');
      expect([await names('qa'), await versions('qa')]).toEqual([['qa-1'], [serving]]);
      expect(await folders()).toEqual(['trial-prod-machine-1', 'trial-qa-machine-1', 'trial-qa-machine-1b']);
      // Another promotion goes on where they were, and removes what was left.
      const promoted = await project.promote(next, 'qa');
      expect(promoted.code, promoted.stderr).toBe(0);
      expect(await folders()).toEqual(['trial-prod-machine-1', 'trial-qa-machine-1']);
    },
  );

  test.each(['after:handover', 'after:ledger'])(
    'are finished by the same command where it was killed %s',
    { timeout: replacing },
    async (point) => {
      const now = (await images()).find(({ environments }) => environments.includes('qa'))?.version;
      const other = now === '1.0.0' ? '1.1.0' : '1.0.0';
      const words = ['vm-image', 'promote', other, '--to', 'qa', '--yes', '--json'];
      const load = await startLoad({ urls: [await front('qa')], rate: 50, connections: 'both' });
      await project.killedAt(point, ...words);
      expect(await versions('qa')).toEqual(['1.1.0']);
      const again = await project.run(...words);
      expect(again.code, again.stderr).toBe(0);
      const stats = await load.stop();
      expect(stats, JSON.stringify(stats.failures)).toMatchObject({ failed: 0 });
      expect(await versions('qa')).toEqual(['1.1.0']);
      expect((await images()).find(({ environments }) => environments.includes('qa'))?.version).toBe(other);
      expect(await folders()).toHaveLength(2);
      const status = await project.run('status', '--env', 'qa', '--json');
      expect(status.json).toMatchObject({ version: '1.1.0', problems: [], hosts: { ready: 1, total: 1 } });
    },
  );

  test('that die while they take over are gone, and the earlier ones serve again', { timeout: replacing }, async () => {
    const now = (await images()).find(({ environments }) => environments.includes('qa'))?.version;
    const [serving] = await names('qa');
    const other = now === '1.0.0' ? '1.1.0' : '1.0.0';
    await project.configure({ watch: '60s' });
    const running = project.start(['vm-image', 'promote', other, '--to', 'qa', '--yes', '--json']);
    await running.saw(/hand over/);
    const [made] = (await folders()).filter((name) => name.includes('-qa-') && !name.endsWith(serving?.slice(2) ?? ''));
    const led = async () => (await project.succeed('status', '--env', 'qa')).json.front.servers;
    const before = await led();
    const meanwhile = await project.promote('1.1.0', 'qa');
    expect([meanwhile.code, await led()], meanwhile.stderr).toEqual([75, before]);
    await run(['lxc-stop', '-P', join(project.folder, '.lockage/machines'), '-n', made ?? '', '--kill']);
    const ended = await running.ended;
    await project.configure({ watch: '1s' });
    expect([ended.code, ended.json?.error.details.at(-1)], ended.stderr).toEqual([3, 'qa serves 1.1.0 as before']);
    expect([await names('qa'), await folders()]).toEqual([[serving], ['trial-prod-machine-1', expect.anything()]]);
    expect(await project.versions('qa', [await front('qa')])).toEqual(['1.1.0']);
  });

  test('keep what a rollback goes back to, also its secrets', { timeout: replacing }, async () => {
    project.env['TOKEN'] = 'second';
    await project.succeed('promote', '1.1.0', '--to', 'qa');
    const now = (await images()).find(({ environments }) => environments.includes('qa'))?.version;
    const other = now === '1.0.0' ? '1.1.0' : '1.0.0';
    await project.succeed('vm-image', 'promote', other, '--to', 'qa');
    const back = await project.rollback('qa');
    expect([back.code, back.json?.outcome, typeof back.json?.trafficBack], back.stderr).toEqual([
      0,
      'rolled back',
      'number',
    ]);
    expect(await versions('qa')).toEqual(['1.1.0']);
  });
});
