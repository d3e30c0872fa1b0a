import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { imageFor } from '../../infra/machines/machine.ts';
import { cacheFolder } from '../../infra/system/cache-folder.ts';
import { messageOf } from '../../pipelines/errors.ts';
import { run } from '../../scripts/tools/command.ts';
import { variablesOf } from '../support/engine-fixture.ts';
import { labsWork, setupTime, TestProject } from '../support/pipeline-fixture.ts';
import { promisesHold, storyReleases } from '../support/story.ts';

/** One boots, perhaps under emulation, on a machine that is busy with other things: ms. */
const booting = 300_000;

describe.runIf(labsWork)('an environment owns a virtual machine', () => {
  let project: TestProject;

  beforeAll(async () => {
    // Made once for all tests of a machine; a command has less time than it may take.
    await imageFor({ machines: '', loadBalancers: '', keys: '', images: join(cacheFolder(), 'machine-images') }, 'vm');
    project = await TestProject.open({ app: 'small-app', environments: { dev: { hosts: 1, reach: 'unix' } } });
    await project.configure({ pipeline: ['dev', 'prod'], standby: 1 });
    await own();
    await project.publish(storyReleases);
    for (const version of Object.keys(storyReleases)) await project.succeed('promote', version, '--to', 'dev');
  }, setupTime);

  afterAll(async () => {
    await project?.run('destroy', 'prod', '--yes', '--volumes');
    await project?.remove();
  }, booting);

  const own = (settings: object = {}) =>
    project.configureMachines(
      'prod',
      { kind: 'vm', cpus: 2, memory: '1GiB', disk: '4GiB', ...settings },
      { roles: { web: { health: { timeout: '20s' } } } },
    );
  const folder = () => join(project.folder, '.lockage/machines');
  const logs = () => join(project.folder, '.lockage/machine-logs');
  const inFolder = (name: string) => readdir(name).catch(() => []);
  const address = async () => (await project.run('host', 'ls', 'prod', '--json')).json.hosts[0].address as string;
  const versions = async () => project.versions('prod', [`http://${await address()}:8000/`]);
  /** Process numbers of the machines of this project. */
  const guests = async () =>
    (await run(['ps', '-eo', 'pid,args']))
      .split('\n')
      .filter((line) => line.includes(`${folder()}/`))
      .map((line) => Number(line.trim().split(' ')[0]));
  const devices = async () => {
    const links = JSON.parse(await run(['ip', '-j', 'link', 'show'])) as Record<string, string>[];
    return links
      .filter(({ ifname, master }) => [ifname, master].includes(project.bridge('prod')))
      .map(({ ifname }) => ifname);
  };
  const rules = async () =>
    (await run(['iptables-save'])).split('\n').filter((line) => line.includes(project.bridge('prod')));
  const promote = (version: string, env = {}) =>
    project.start(['promote', version, '--to', 'prod', '--yes', '--json'], env, booting).ended;

  test('that leaves only what it said when it does not come up', { timeout: booting }, async () => {
    const command = project.start(['promote', '1.0.0', '--to', 'prod', '--yes', '--json'], {}, booting);
    const console = join(folder(), 'trial-prod-machine-1/serial.log');
    while (!(await readFile(console, 'utf8').catch(() => '')).includes('Linux version')) await sleep(50);
    for (const pid of await guests()) process.kill(pid, 'SIGKILL');
    const failed = await command.ended;
    expect([failed.code, failed.json?.error.message], failed.stderr).toEqual([
      3,
      'the machines of prod could not be made',
    ]);
    const kept = join(logs(), 'trial-prod-machine-1.log');
    const { details } = failed.json.error as { details: string[] };
    expect(details).toEqual(expect.arrayContaining(['it went off by itself', `all that it said: ${kept}`]));
    expect(await readFile(kept, 'utf8')).toContain('Linux version');
    expect([await guests(), await inFolder(folder()), await devices()]).toEqual([[], [], []]);
  });

  test('that is taken over when its command was killed', { timeout: booting }, async () => {
    const killed = await promote('1.0.0', { LOCKAGE_FAILPOINT: 'after:machine' });
    expect(killed.signal, killed.stderr).toBe('SIGKILL');
    expect(killed.stderr).toMatch(/prod-1 +starts .*(with KVM|emulated, some ten times slower: .+)/);
    const before = await guests();
    expect(before).toHaveLength(1);
    expect(await variablesOf(before[0] ?? 0)).toEqual(['HOME', 'LC_ALL', 'PATH']);
    const result = await promote('1.0.0');
    expect(result.code, result.stderr).toBe(0);
    expect(await guests()).toEqual(before);
  });

  describe('where the same promises hold', () =>
    promisesHold({ project: () => project, environment: 'prod', timeout: booting, rate: 5 }));

  test('whose kernel and disk are its own', async () => {
    const { json, stderr } = await project.run('host', 'check', 'prod', '--json');
    const [{ hosts }] = json.environments;
    const [{ facts }] = hosts;
    expect(facts.disk.total, stderr).toBeGreaterThan(3.5 * 2 ** 30);
    const here = (await readFile('/proc/sys/kernel/osrelease', 'utf8')).trim();
    expect(facts.kernel).not.toBe(here);
  });

  test('that is reset comes back by itself and serves, without any command', { timeout: booting }, async () => {
    const [before, serving, at] = [await guests(), await versions(), await address()];
    const key = join(project.folder, '.lockage/machine-keys/prod/id_ed25519');
    const boots = async () =>
      (await readFile(join(folder(), 'trial-prod-machine-1/serial.log'), 'utf8')).split('Linux version').length;
    const booted = await boots();
    // Like a press of the button: what is not on its disk by then is lost.
    const reset = 'sleep 1; echo 1 > /proc/sys/kernel/sysrq; echo b > /proc/sysrq-trigger';
    const unknown = ['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR'];
    const detached = `setsid sh -c '${reset}' >/dev/null 2>&1 </dev/null &`;
    await run(['ssh', '-F', 'none', '-i', key, ...unknown, `root@${at}`, detached]);
    await expect.poll(boots, { timeout: booting, interval: 1000 }).toBeGreaterThan(booted);
    await expect.poll(() => versions().catch(messageOf), { timeout: booting, interval: 1000 }).toEqual(serving);
    expect(await guests()).toEqual(before);
    const status = async () => (await project.run('status', '--env', 'prod', '--json')).json;
    await expect
      .poll(status, { timeout: booting, interval: 2000 })
      .toMatchObject({ problems: [], hosts: { ready: 1 } });
  });

  test('that serves again after its process was killed, by the next promotion', { timeout: booting }, async () => {
    await project.succeed('resume', 'prod');
    for (const pid of await guests()) process.kill(pid, 'SIGKILL');
    while ((await guests()).length > 0) await sleep(50);
    const down = await project.rollback('prod', '--to', '1.1.0');
    expect([down.code, down.json?.error.message]).toEqual([2, expect.stringContaining('prod-1: cannot connect')]);
    const result = await promote('1.0.0');
    expect(result.code, result.stderr).toBe(0);
    expect(result.stderr).toContain('1 machine is started first: prod-1');
    expect(await versions()).toEqual(['1.0.0']);
  });

  test('and that goes with it to the last trace', { timeout: booting }, async () => {
    expect((await devices()).length).toBe(2);
    expect((await rules()).length).toBeGreaterThan(0);
    const result = await project.run('destroy', 'prod', '--yes', '--json');
    expect([result.code, result.json?.machines], result.stderr).toEqual([0, ['trial-prod-machine-1']]);
    expect([await guests(), await inFolder(folder()), await inFolder(logs()), await devices()]).toEqual([
      [],
      [],
      [],
      [],
    ]);
    expect(await run(['iptables-save'])).not.toContain(project.bridge('prod'));
  });
});
