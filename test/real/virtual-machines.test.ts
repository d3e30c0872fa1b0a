import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { imageFor } from '../../infra/machines/machines.ts';
import { run } from '../../scripts/lab/command.ts';
import { cacheDir } from '../../scripts/setup/cache.ts';
import { labsWork, setupTime, TrialPipeline } from '../support/pipeline-fixture.ts';

/** One boots, perhaps under emulation, on a machine that is busy with other things: ms. */
const booting = 240_000;

describe.runIf(labsWork)('an environment owns a virtual machine', () => {
  let trial: TrialPipeline;

  beforeAll(async () => {
    // Made once for all tests of a machine; a command has less time than it may take.
    await imageFor({ machines: '', keys: '', images: join(cacheDir(), 'machine-images') }, 'vm');
    trial = await TrialPipeline.open({ environments: { dev: { hosts: 1, reach: 'unix' } } });
    await trial.configure({ pipeline: ['dev', 'prod'] });
    await trial.configureEnvironment('dev', {});
    const targets = { kind: 'vm', memory: '1GiB', cpus: 1, disk: '4GiB' };
    const roles = { web: { health: { timeout: '60s' } } };
    await writeFile(join(trial.folder, 'environments/prod.yaml'), JSON.stringify({ targets, roles }));
    await trial.publish({ '1.0.0': {}, '1.1.0': {} });
    for (const version of ['1.0.0', '1.1.0']) await trial.succeed('promote', version, '--to', 'dev');
  }, setupTime);

  afterAll(async () => {
    await trial?.run('destroy', 'prod', '--yes', '--volumes');
    await trial?.remove();
  }, booting);

  const address = async () => (await trial.run('host', 'ls', 'prod', '--json')).json.hosts[0].address as string;
  const versions = async () => trial.versions('prod', [`http://${await address()}:8000/`]);
  const folder = () => join(trial.folder, '.lockage/machines');
  const guests = async () => (await run(['ps', '-eo', 'args'])).split('\n').filter((line) => line.includes(folder()));
  const devices = async () =>
    (JSON.parse(await run(['ip', '-j', 'link', 'show'])) as { ifname: string; master?: string }[])
      .map(({ ifname }) => ifname)
      .filter((name) => /^l[kt][0-9a-f]{8}$/.test(name));

  test(
    'that is made for its first release, and taken over when the command was killed',
    { timeout: booting },
    async () => {
      const killed = await trial.start(['promote', '1.0.0', '--to', 'prod', '--yes'], {
        LOCKAGE_FAILPOINT: 'after:machine',
      }).ended;
      expect(killed.signal, killed.stderr).toBe('SIGKILL');
      const before = await guests();
      expect(before).toHaveLength(1);
      const result = await trial.promote('1.0.0', 'prod');
      expect(result.code, result.stderr).toBe(0);
      expect(await guests()).toEqual(before);
      expect(await versions()).toEqual(['1.0.0']);
    },
  );

  test('whose kernel and disk are its own', async () => {
    const { json, stderr } = await trial.run('host', 'check', 'prod', '--json');
    const [{ hosts }] = json.environments;
    const [{ facts }] = hosts;
    expect(facts.disk.total, stderr).toBeGreaterThan(3.5 * 2 ** 30);
  });

  test('on which promotion and rollback are as on any host', { timeout: booting }, async () => {
    const promoted = await trial.promote('1.1.0', 'prod');
    expect(promoted.code, promoted.stderr).toBe(0);
    expect(await versions()).toEqual(['1.1.0']);
    const back = await trial.rollback('prod');
    expect([back.code, back.json?.outcome], back.stderr).toEqual([0, 'rolled back']);
    expect(await versions()).toEqual(['1.0.0']);
    const status = await trial.run('status', '--env', 'prod', '--json');
    expect([status.json.version, status.json.hosts.ready]).toEqual(['1.0.0', 1]);
  });

  test('and that goes with it to the last trace', { timeout: booting }, async () => {
    const had = await devices();
    expect(had.length).toBeGreaterThanOrEqual(2);
    const result = await trial.run('destroy', 'prod', '--yes', '--json');
    expect([result.code, result.json?.machines], result.stderr).toEqual([0, ['trial-prod-machine-1']]);
    expect([await guests(), await readdir(folder()), await devices()]).toEqual([[], [], []]);
  });
});
