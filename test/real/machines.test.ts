import { readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hostRecipe, machineImage } from '../../infra/machines/image/image.ts';
import { cacheFolder } from '../../infra/system/cache-folder.ts';
import { run, tryRun } from '../../scripts/tools/command.ts';
import { command, variablesOf } from '../support/engine-fixture.ts';
import { labsWork, setupTime, TestProject } from '../support/pipeline-fixture.ts';

/** A few machines are made and started: ms. */
const making = 120_000;

describe.runIf(labsWork)('an environment owns its machines', () => {
  let project: TestProject;

  beforeAll(async () => {
    // Made once for all tests of a machine; a command has less time than it may take.
    await machineImage(join(cacheFolder(), 'machine-images'), hostRecipe);
    project = await TestProject.open({ app: 'small-app', environments: { dev: { hosts: 1, reach: 'unix' } } });
    await project.configure({ pipeline: ['dev', 'prod'], standby: 1 });
    await own(1);
    await project.publish({ '1.0.0': {}, '1.1.0': {}, '1.2.0': { unhealthy: true } });
    for (const version of ['1.0.0', '1.1.0', '1.2.0']) await project.run('promote', version, '--to', 'dev', '--yes');
  }, setupTime);

  afterAll(async () => {
    await project?.run('destroy', 'prod', '--yes', '--volumes');
    await project?.remove();
  }, making);

  const own = (count: number, settings: object = {}) =>
    project.configureMachines('prod', { kind: 'lxc', count, ...settings });
  const listed = async () => {
    const { json } = await project.run('host', 'ls', 'prod', '--json');
    return json.hosts as { name: string; url: string; address: string; state: string }[];
  };
  const urls = async () => (await listed()).map(({ address }) => `http://${address}:8000/`);
  const versions = async () => project.versions('prod', await urls());
  const bridges = async () =>
    (JSON.parse(await run(['ip', '-j', 'link', 'show', 'type', 'bridge'])) as { ifname: string }[])
      .map(({ ifname }) => ifname)
      .filter((name) => name === project.bridge('prod'));
  const lxc = (tool: string, ...words: string[]) =>
    run([tool, '-P', join(project.folder, '.lockage/machines'), ...words]);
  /** Everything of it on this computer: containers of LXC, processes, folders, keys, bridges and firewall rules. */
  const traces = async () => ({
    containers: (await lxc('lxc-ls', '-1').catch(() => '')).trim(),
    processes: (await run(['ps', '-eo', 'args']))
      .split('\n')
      .filter((line) => /trial-prod-machine|machine-keys\/prod/.test(line) && line.includes(project.folder)),
    folders: await readdir(join(project.folder, '.lockage/machines')).catch(() => []),
    keys: await readdir(join(project.folder, '.lockage/machine-keys')).catch(() => []),
    bridges: await bridges(),
    rules: (await run(['iptables-save'])).split('\n').filter((line) => line.includes(project.bridge('prod'))),
  });

  test('which are shown in the plan, and not made by it', async () => {
    const plan = await project.run('plan', '1.0.0', '--env', 'prod', '--json');
    expect([plan.code, plan.json?.plan.notes], plan.stderr).toEqual([0, ['1 machine is made first: prod-1']]);
    expect((await listed()).map(({ state, url }) => [state, url])).toEqual([['not reachable', 'machine://prod-1']]);
    expect(await traces()).toMatchObject({ containers: '', folders: [], bridges: [] });
  });

  test('not those of a release that may not enter', async () => {
    const refused = await project.promote('1.2.0', 'prod');
    expect(refused.code, refused.stderr).toBe(2);
    expect(await traces()).toMatchObject({ containers: '', folders: [], bridges: [] });
  });

  test(
    'and are made for its first release, also when the command is killed meanwhile',
    { timeout: making },
    async () => {
      await project.killedAt('after:machine', 'promote', '1.0.0', '--to', 'prod', '--yes');
      const [made] = (await lxc('lxc-ls', '-1', '--running')).trim().split('\n');
      const pid = () => lxc('lxc-info', '-n', made ?? '', '-p', '-H');
      const before = await pid();
      const result = await project.promote('1.0.0', 'prod');
      expect(result.code, result.stderr).toBe(0);
      // It was taken over, not made twice.
      expect([made, await pid()]).toEqual(['trial-prod-machine-1', before]);
      expect(await versions()).toEqual(['1.0.0']);
      const key = join(project.folder, '.lockage/machine-keys/prod/id_ed25519');
      expect((await stat(key)).mode & 0o777).toBe(0o600);
      const monitor = await run(['ps', '-o', 'ppid=', '-p', before.trim()]);
      expect(await variablesOf(monitor.trim())).toEqual(['HOME', 'LC_ALL', 'PATH']);
    },
  );

  test('that have the limits they were configured with, and a hardened engine', async () => {
    const checked = await project.run('host', 'check', 'prod', '--json');
    expect(checked.code, checked.stderr).toBe(0);
    const inside = (...argv: string[]) => lxc('lxc-attach', '-n', 'trial-prod-machine-1', '--clear-env', '--', ...argv);
    const words = (await tryRun(['stat', '/sys/fs/cgroup/cgroup.controllers']))
      ? 'memory.max'
      : 'memory.limit_in_bytes';
    expect((await lxc('lxc-cgroup', '-n', 'trial-prod-machine-1', words)).trim()).toBe(String(512 * 2 ** 20));
    expect(JSON.parse(await inside('cat', '/etc/docker/daemon.json'))).toMatchObject({ 'no-new-privileges': true });
  });

  test('and grow in number, each with its containers behind the barrier', { timeout: making }, async () => {
    await own(2);
    const plan = await project.run('plan', '1.1.0', '--env', 'prod', '--json');
    expect(plan.json?.plan.notes, plan.stderr).toEqual(['1 machine is made first: prod-2']);
    const result = await project.promote('1.1.0', 'prod');
    expect(result.code, result.stderr).toBe(0);
    expect(await versions()).toEqual(['1.1.0', '1.1.0']);
    const status = await project.run('status', '--env', 'prod', '--json');
    expect([status.json.version, status.json.hosts.ready], status.stderr).toEqual(['1.1.0', 2]);
  });

  test('which are not made anew where the keys they are known by are lost', { timeout: making }, async () => {
    const keys = join(project.folder, '.lockage/machine-keys/prod');
    await rename(keys, `${keys}.aside`);
    await own(3);
    const refused = await project.promote('1.1.0', 'prod');
    expect([refused.code, refused.json?.error.message], refused.stderr).toEqual([
      2,
      'the ssh host keys of the machines of prod are not those they were made with',
    ]);
    await rm(keys, { recursive: true });
    await rename(`${keys}.aside`, keys);
    await own(2);
    expect(await versions()).toEqual(['1.1.0', '1.1.0']);
  });

  test('whose stop does not last: the next promotion starts them', { timeout: making }, async () => {
    await lxc('lxc-stop', '-n', 'trial-prod-machine-2', '--kill');
    const down = await project.rollback('prod');
    expect([down.code, down.json?.error.message]).toEqual([2, expect.stringContaining('1 of 2 hosts of prod')]);
    const result = await project.promote('1.1.0', 'prod');
    expect(result.code, result.stderr).toBe(0);
    expect(result.stderr).toContain('1 machine is started first: prod-2');
    expect(await versions()).toEqual(['1.1.0', '1.1.0']);
  });

  test('that are never changed: others are refused', async () => {
    await own(2, { memory: '1GiB' });
    const refused = await project.promote('1.1.0', 'prod');
    expect([refused.code, refused.json?.error.details], refused.stderr).toEqual([
      2,
      ['memory: 536870912, configured 1073741824'],
    ]);
  });

  test('and shrink, once nothing is left on the one that goes', { timeout: making }, async () => {
    await own(1);
    const result = await project.promote('1.1.0', 'prod');
    expect(result.code, result.stderr).toBe(0);
    expect(await traces()).toMatchObject({ containers: 'trial-prod-machine-1', folders: ['trial-prod-machine-1'] });
    expect(await versions()).toEqual(['1.1.0']);
  });

  test('on which a rollback is a switch as on any host, also while another one is configured and not made', async () => {
    await own(2);
    const result = await project.rollback('prod', '--to', '1.0.0');
    expect([result.code, result.json?.outcome], result.stderr).toEqual([0, 'rolled back']);
    await own(1);
    expect(await versions()).toEqual(['1.0.0']);
  });

  test('with another one of their name there is no mixing up', async () => {
    const folder = join(project.folder, '.lockage/machines/trial-prod-machine-2');
    await command('mkdir', '-p', join(folder, 'theirs'));
    await own(2);
    await project.succeed('resume', 'prod');
    const refused = await project.promote('1.0.0', 'prod');
    expect(refused.json?.error.details.join(' '), refused.stderr).toContain('is not of a machine of prod');
    await command('rm', '-r', folder);
    await own(1);
    expect(await versions()).toEqual(['1.0.0']);
  });

  test('and go with it to the last trace', { timeout: making }, async () => {
    const result = await project.run('destroy', 'prod', '--yes', '--json');
    expect([result.code, result.json?.machines], result.stderr).toEqual([0, ['trial-prod-machine-1']]);
    expect(await traces()).toEqual({ containers: '', processes: [], folders: [], keys: [], bridges: [], rules: [] });
    const again = await project.run('destroy', 'prod', '--yes', '--json');
    expect([again.code, again.json?.outcome], again.stderr).toEqual([0, 'nothing to do']);
  });
});
