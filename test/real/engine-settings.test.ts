import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { labsWork, setupTime, TestProject } from '../support/pipeline-fixture.ts';

/** The settings of each environment's one host, as its daemon.json has them. */
const settings = {
  // `local` is kept by the engine otherwise than json-file, and read as well.
  quiet: { 'userland-proxy': false, 'log-driver': 'local', mtu: 1400, 'live-restore': true },
  bare: { iptables: false, 'log-driver': 'none' },
  // The default network takes the only one.
  tight: { 'default-address-pools': [{ base: '172.31.250.0/24', size: 24 }] },
} as const;
type Name = keyof typeof settings;

describe.skipIf(!labsWork)('an engine with settings of its own', () => {
  let project: TestProject;

  const configureEngine = async (name: Name, wanted: object) => {
    const host = project.lab.host(`${name}-1`);
    await host.stopDocker();
    await host.exec(['sh', '-c', 'printf %s "$1" > /etc/docker/daemon.json', 'sh', JSON.stringify(wanted)]);
    await host.startDocker();
  };

  beforeAll(async () => {
    const one = { hosts: 1, reach: 'unix' } as const;
    const environments = { quiet: one, bare: one, tight: one };
    project = await TestProject.open({ environments, app: 'small-app' });
    const names = Object.keys(settings) as Name[];
    await project.configure({ pipeline: names.map((name) => ({ name, after: [] })) });
    const web = { log: { driver: 'host' } };
    for (const name of ['quiet', 'bare'] as const) await project.configureEnvironment(name, { roles: { web } });
    await Promise.all([
      project.publish({ '1.0.0': {}, '1.1.0': {} }),
      ...names.map((name) => configureEngine(name, settings[name])),
    ]);
  }, setupTime);

  afterAll(() => project?.remove());

  test('without docker-proxy, with a log driver and live-restore, serves and shows its logs', async () => {
    const promoted = await project.promote('1.0.0', 'quiet');
    expect([promoted.code, promoted.stderr]).toEqual([0, expect.any(String)]);
    expect(await project.versions('quiet')).toEqual(['1.0.0']);
    const logs = await project.run('logs', '--env', 'quiet', '--tail', '5');
    expect([logs.code, logs.stdout]).toEqual([0, expect.stringContaining('web')]);
    const status = await project.run('status', '--check', '--json');
    expect(status.json.environments.find(({ name }: any) => name === 'quiet').problems).toEqual([]);
  });

  test('is restarted under what serves, and what serves goes on', async () => {
    const before = await project.containerIds('quiet');
    await configureEngine('quiet', { ...settings.quiet, 'live-restore': false });
    await expect.poll(() => project.versions('quiet').catch(() => []), { timeout: 30_000 }).toEqual(['1.0.0']);
    expect(await project.containerIds('quiet')).toEqual(before);
    expect((await project.promote('1.1.0', 'quiet')).code).toBe(0);
    expect(await project.versions('quiet')).toEqual(['1.1.0']);
  });

  test('without rules for packets, and without logs, serves and says what is missing', async () => {
    const promoted = await project.promote('1.0.0', 'bare');
    expect([promoted.code, promoted.stderr]).toEqual([0, expect.stringContaining('its Docker Engine keeps no logs')]);
    expect(await project.versions('bare')).toEqual(['1.0.0']);
    const logs = await project.run('logs', '--env', 'bare', '--tail', '5');
    expect(logs.stderr + logs.stdout).toMatch(/logging driver|does not support reading/);
    expect(logs.code).not.toBe(70);
    const { stdout } = await project.run('doctor', 'bare');
    expect(stdout).toContain('its Docker Engine keeps no logs, and web has its driver');
  });

  test('without an address for a network is refused before anything is made, and works when it has one', async () => {
    const before = await project.snapshot('tight');
    const refused = await project.promote('1.0.0', 'tight');
    expect([refused.code, refused.json.error.details, refused.json.error.hint]).toEqual([
      2,
      [expect.stringMatching(/^tight-1: all address pools of its Docker Engine are used, by \d networks$/)],
      expect.stringContaining('default-address-pools'),
    ]);
    expect(await project.snapshot('tight')).toEqual(before);
    const { stdout } = await project.run('doctor', 'tight');
    expect(stdout).toMatch(/all address pools .* are used/);
    await configureEngine('tight', { 'default-address-pools': [{ base: '172.31.248.0/22', size: 24 }] });
    expect((await project.promote('1.0.0', 'tight')).code).toBe(0);
    expect(await project.versions('tight')).toEqual(['1.0.0']);
  });

  test('on which another project has the same names is not touched', async () => {
    const state = join(project.folder, '.lockage');
    expect((await project.promote('1.0.0', 'bare')).code).toBe(0);
    const served = await project.containerIds('bare');
    await rename(state, `${state}-first`);
    // A first release of another state has nothing to go by but the hosts.
    for (const version of ['1.0.0', '1.1.0'])
      await project.succeed('release', version, '--image', `${project.lab.registry}/trial:build-${version}`);
    const lost = await project.promote('1.0.0', 'bare');
    expect([lost.code, lost.json.error.message]).toEqual([2, 'hosts of bare know revision 1, this state knows none']);
    expect(lost.json.error.hint).toContain('another project');
    expect(await project.containerIds('bare')).toEqual(served);
  });
});
