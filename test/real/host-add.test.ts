import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { engineOfLabs } from '../../scripts/lab/engine-programs.ts';
import { createMachine, type LabMachine } from '../../scripts/lab/machine.ts';
import { labsWork, setupTime, TestProject, type CommandResult } from '../support/pipeline-fixture.ts';

/** A machine downloads and installs its packages: ms. */
const installing = 240_000;
/** What hosts differ in, by the engine of those that the lab made; the machines have Debian's. */
const differing = {
  own: ['storage: overlay2 on prod-1, prod-2; vfs on prod-3', 'storage: vfs on prod-3; overlay2 on dev-1 of dev'],
  '29': [
    'engine.minor: 20.10 on prod-2, prod-3; 29.5 on prod-1',
    'storage: overlayfs on prod-1; overlay2 on prod-2; vfs on prod-3',
    'engine.minor: 20.10 on prod-2, prod-3; 29.5 on dev-1 of dev',
    'storage: overlay2 on prod-2; vfs on prod-3; overlayfs on dev-1 of dev',
  ],
};

describe.runIf(labsWork)('a plain Debian machine becomes a host', () => {
  let project: TestProject;
  let machine: LabMachine;
  let second: LabMachine;
  let file: string;

  beforeAll(async () => {
    project = await TestProject.open({
      app: 'small-app',
      environments: { dev: { hosts: 1, reach: 'unix' }, prod: { hosts: 1, reach: 'unix' } },
    });
    file = join(project.folder, 'environments/prod.yaml');
    const { url, address } = project.lab.host('prod-1');
    await writeFile(
      file,
      `# where prod runs\ntargets:\n  - name: prod-1 # since ever\n    url: ${url}\n    address: ${address}\n# the end\n`,
    );
    machine = await createMachine(project.lab.dataDir, 'prod-2');
    await project.publish({ '1.0.0': {}, '1.1.0': {} });
    for (const version of ['1.0.0', '1.1.0']) await project.succeed('promote', version, '--to', 'dev');
    await project.succeed('promote', '1.0.0', '--to', 'prod');
  }, setupTime);

  afterAll(async () => project?.remove());

  const words = (on: LabMachine, user: string, ...more: string[]): string[] => {
    const called = ['--env', 'prod', '--name', on.name, '--identity', on.identity];
    return ['host', 'add', `ssh://${user}@${on.address}`, ...called, '--json', ...more];
  };
  const add = (on: LabMachine, user: string, ...more: string[]): Promise<CommandResult> =>
    project.run(...words(on, user, ...more));
  const versionOf = async (on: { address: string }) => {
    const answer: any = await (await fetch(`http://${on.address}:8000/`)).json();
    return answer.version;
  };
  /** Replaces what `systemctl reload docker` does by a shell command that knows `$MAINPID`. */
  const reloadsBy = (on: LabMachine, command: string) =>
    writeDrop(on, 'reload', `[Service]\nExecReload=\nExecReload=/bin/sh -c '${command}'\n`);
  /** Changes how systemd runs the engine, from its next start on. */
  const writeDrop = async (on: LabMachine, name: string, input: string) => {
    const folder = '/etc/systemd/system/docker.service.d';
    await on.exec(['sh', '-c', `mkdir -p ${folder} && cat > ${folder}/${name}.conf`], { input });
    await on.exec(['systemctl', 'daemon-reload']);
  };
  /** An engine that gets the same setting from its file too does not start. */
  const flagged = '[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd -H fd:// --no-new-privileges=true\n';
  const actions = (result: CommandResult) => result.json.steps.map(({ action }: { action: string }) => action);

  test('not without a word about its host key, and not with everything else that is wrong', async () => {
    const before = await readFile(file, 'utf8');
    const silent = await add(machine, machine.user, '--yes');
    expect([silent.code, silent.json.error.hint], silent.stderr).toEqual([
      2,
      expect.stringContaining('--host-key SHA256:'),
    ]);
    const other = await add(machine, machine.user, '--yes', '--host-key', `SHA256:${'A'.repeat(43)}`);
    expect([other.code, other.json.error.details.at(-1)], other.stderr).toEqual([2, `offered:  ${machine.hostKey}`]);
    const bad = ['--env', 'prod', '--name', 'Prod', '--jump', '-x', '--host-key', 'x', '--yes', '--json'];
    const wrong = await project.run('host', 'add', 'unix:///run/docker.sock', ...bad);
    expect([wrong.code, wrong.json.error.details.length], wrong.stderr).toEqual([2, 4]);
    const taken = await project.run(
      'host',
      'add',
      `ssh://root@${machine.address}`,
      '--env',
      'prod',
      '--name',
      'prod-1',
      '--json',
    );
    expect([taken.code, taken.json.error.details[0]]).toEqual([
      2,
      expect.stringContaining('prod-1 is a host of prod already'),
    ]);
    expect(await readFile(file, 'utf8')).toBe(before);
    expect(await machine.exec(['sh', '-c', 'ls /etc/docker /usr/sbin/dockerd 2>/dev/null || true'])).toBe('');
  });

  test(
    'with an engine, settings, a user who may use it, and a line in the file of the environment',
    { timeout: installing },
    async () => {
      const result = await add(machine, machine.user, '--yes', '--host-key', machine.hostKey);
      expect(result.code, result.stderr).toBe(0);
      expect([result.json.outcome, actions(result)]).toEqual(['added', ['configure', 'install', 'join']]);
      expect(JSON.parse(await machine.exec(['cat', '/etc/docker/daemon.json']))).toEqual({
        'log-driver': 'json-file',
        'log-opts': { 'max-size': '10m', 'max-file': '3' },
        'no-new-privileges': true,
        'live-restore': true,
        'insecure-registries': [project.lab.registry],
      });
      expect(await machine.exec(['id', '-Gn', machine.user])).toContain('docker');
      const { url, address } = project.lab.host('prod-1');
      expect(await readFile(file, 'utf8')).toBe(
        `# where prod runs\ntargets:\n  - name: prod-1 # since ever\n    url: ${url}\n    address: ${address}\n` +
          `  - name: prod-2\n    url: ssh://${machine.user}@${machine.address}\n    identity: ${machine.identity}\n` +
          `    hostKey: ${machine.hostKey}\n# the end\n`,
      );
      expect(result.json.facts).toMatchObject({ platform: 'linux/amd64', dataFolder: '/var/lib/docker' });
    },
  );

  test('once: the second time everything is as it should be', async () => {
    const before = await readFile(file, 'utf8');
    const result = await add(machine, machine.user);
    expect([result.code, result.json?.outcome], result.stderr).toEqual([0, 'unchanged']);
    expect(actions(result)).toEqual(['none', 'none', 'none']);
    expect(await readFile(file, 'utf8')).toBe(before);
  });

  test('that serves with the others after the next promotion, and can be looked at', async () => {
    await project.succeed('promote', '1.0.0', '--to', 'prod');
    expect([await versionOf(project.lab.host('prod-1')), await versionOf(machine)]).toEqual(['1.0.0', '1.0.0']);
    const checked = await project.run('host', 'check', 'prod', '--json');
    expect(checked.code, checked.stderr).toBe(0);
    const [{ hosts }] = checked.json.environments;
    const [, { name: checkedName, facts }] = hosts;
    expect([checkedName, facts.images.present]).toEqual(['prod-2', ['1.0.0']]);
    expect(facts.disk.free).toBeGreaterThan(1e9);
    expect(facts.memory.available).toBeGreaterThan(1e8);
    // All hosts of a lab have the same clock, read through the same kernel.
    expect(Math.abs(facts.clock.ahead)).toBeLessThanOrEqual(facts.clock.precision + 1);
    const listed = await project.run('host', 'ls', 'prod', '--json');
    expect(listed.json.hosts.map(({ name, state }: any) => `${name} ${state}`)).toEqual([
      'prod-1 ready',
      'prod-2 ready',
    ]);
  });

  /** Its two containers and since when they run, once they do. */
  const started = () => {
    const all = 'until [ "$(docker ps --quiet | wc -l)" = 2 ]; do sleep 0.1; done';
    const show = `docker inspect --format '{{.Name}} {{.State.Pid}} {{.State.StartedAt}}' $(docker ps --quiet)`;
    return machine.exec(['timeout', '30', 'sh', '-c', `${all}; ${show}`]);
  };
  const settingsOf = async (on: LabMachine) => JSON.parse(await on.exec(['cat', '/etc/docker/daemon.json']));
  /** What it had before it was prepared: its engine can pull, and takes its containers along. */
  const bare = () => ({ 'insecure-registries': [project.lab.registry] });

  test('whose containers run again where its engine does not start with new settings', async () => {
    const write = (settings: object) =>
      machine.exec(['sh', '-c', 'cat > /etc/docker/daemon.json'], { input: JSON.stringify(settings) });
    await write({ ...bare(), 'live-restore': false });
    await machine.exec(['systemctl', 'reload', 'docker']);
    // It is read later; an engine that left containers running, and may not when it starts, would stop them for good.
    const read = 'until docker info --format "{{.LiveRestoreEnabled}}" | grep -q false; do sleep 0.1; done';
    await machine.exec(['timeout', '30', 'sh', '-c', read]);
    await machine.exec(['systemctl', 'restart', 'docker']);
    await write(bare());
    await started();

    // It runs without the flag as yet, so that a reload finds nothing wrong.
    await writeDrop(machine, 'flag', flagged);
    const unstarted = await add(machine, machine.user, '--yes');
    expect(unstarted.code, unstarted.stderr).toBe(3);
    expect(await settingsOf(machine)).toEqual(bare());
    expect((await started()).trim().split('\n')).toHaveLength(2);
    expect(await versionOf(machine)).toBe('1.0.0');
    await machine.exec(['rm', '/etc/systemd/system/docker.service.d/flag.conf']);
    await machine.exec(['systemctl', 'daemon-reload']);
    await machine.exec(['systemctl', 'restart', 'docker']);
  });

  test('whose containers go on while its engine gets new settings, late and in two goes if it has to be', async () => {
    const before = await started();
    expect(before.trim().split('\n')).toHaveLength(2);

    await reloadsBy(machine, 'true');
    const refused = await add(machine, machine.user, '--yes');
    expect([refused.code, refused.json.error.details.join(' ')], refused.stderr).toEqual([
      3,
      expect.stringContaining('restarted now, it would stop its containers'),
    ]);
    expect(await settingsOf(machine)).toEqual(bare());
    expect(await started()).toBe(before);

    await reloadsBy(machine, 'setsid --fork sh -c "sleep 2; kill -s HUP $MAINPID"');
    await project.configure({ insecureRegistries: [project.lab.registry, '10.255.0.1:5000'] });
    const killed = words(machine, machine.user, '--yes');
    const crash = await project.start(killed, { LOCKAGE_FAILPOINT: 'after:configure' }).ended;
    expect(crash.signal, crash.stderr).toBe('SIGKILL');
    const result = await add(machine, machine.user, '--yes');
    expect([result.code, result.json?.outcome], result.stderr).toEqual([0, 'prepared']);
    expect(actions(result)).toEqual(['none', 'restart', 'none']);
    expect(actions(await add(machine, machine.user))).toEqual(['none', 'none', 'none']);
    expect(await started()).toBe(before);
    expect(await versionOf(machine)).toBe('1.0.0');
  });

  test(
    'beside one that is otherwise, where a demand for likeness refuses a promotion',
    { timeout: installing },
    async () => {
      second = await createMachine(project.lab.dataDir, 'prod-3');
      const theirs = { 'storage-driver': 'vfs', 'log-driver': 'journald' };
      await second.exec(['sh', '-c', 'mkdir /etc/docker && cat > /etc/docker/daemon.json'], {
        input: JSON.stringify(theirs),
      });
      const result = await add(second, 'root', '--yes', '--host-key', second.hostKey);
      expect(result.code, result.stderr).toBe(0);
      expect(actions(result)).toEqual(['configure', 'install', 'none']);
      expect(result.stderr).toContain('stays as somebody set it there: "log-driver": "journald"');
      expect(JSON.parse(await second.exec(['cat', '/etc/docker/daemon.json']))).toMatchObject(theirs);

      await project.configure({ same: ['architecture', 'engine.minor', 'storage'] });
      const before = await project.snapshot('prod');
      const refused = await project.promote('1.1.0', 'prod');
      expect([refused.code, refused.json.error.message, refused.json.error.details], refused.stderr).toEqual([
        2,
        'hosts differ in what has to be the same for prod',
        differing[engineOfLabs() ?? 'own'],
      ]);
      expect(await project.snapshot('prod')).toEqual(before);
      const shown = await project.run('host', 'check', 'prod');
      expect([shown.code, shown.stdout]).toEqual([
        0,
        expect.stringMatching(
          /✗ storage: (overlay2 on prod-1, prod-2|overlayfs on prod-1; overlay2 on prod-2); vfs on prod-3/,
        ),
      ]);
    },
  );

  test('whose engine does not start with its settings gets the earlier ones back', async () => {
    const settings = '/etc/docker/daemon.json';
    const { 'no-new-privileges': _, ...others } = JSON.parse(await second.exec(['cat', settings]));
    const input = JSON.stringify(others);
    await second.exec(['sh', '-c', `cat > ${settings}`], { input });
    await writeDrop(second, 'flag', flagged);
    await second.exec(['systemctl', 'restart', 'docker']);
    const result = await add(second, 'root', '--yes');
    expect([result.code, result.json.error.details.join(' ')], result.stderr).toEqual([
      3,
      expect.stringContaining('no-new-privileges'),
    ]);
    expect(await second.exec(['cat', settings])).toBe(input);
    expect((await second.exec(['systemctl', 'is-active', 'docker'])).trim()).toBe('active');
  });

  test('that is taken out again has nothing left after the next promotion', async () => {
    const unused = await project.run('host', 'rm', 'prod-3', '--env', 'prod', '--yes', '--json');
    expect([unused.code, unused.json?.containers], unused.stderr).toEqual([0, []]);
    const result = await project.run('host', 'rm', 'prod-2', '--env', 'prod', '--yes', '--json');
    expect([result.code, result.json?.containers.length], result.stderr).toEqual([0, 2]);
    expect(await readFile(file, 'utf8')).toMatch(
      /^# where prod runs\ntargets:\n {2}- name: prod-1 # since ever\n.*\n.*\n# the end\n$/,
    );
    expect(await versionOf(machine)).toBe('1.0.0');
    await project.succeed('promote', '1.1.0', '--to', 'prod');
    expect(await versionOf(project.lab.host('prod-1'))).toBe('1.1.0');
    expect(await machine.exec(['docker', 'ps', '--all', '--quiet'])).toBe('');
    expect(await machine.exec(['docker', 'network', 'ls', '--format', '{{.Name}}'])).not.toContain('trial');
  });

  test('but not the last one', async () => {
    const last = await project.run('host', 'rm', 'prod-1', '--env', 'prod', '--yes', '--json');
    expect([last.code, last.json.error.message]).toEqual([2, 'prod-1 is the only host of prod']);
  });

  test('one that does not answer is listed', async () => {
    await project.lab.host('prod-1').stopDocker();
    const result = await project.run('host', 'check', '--json');
    await project.lab.host('prod-1').startDocker();
    expect([result.code, result.json.silent]).toEqual([5, ['prod-1']]);
    const listed = await project.run('host', 'ls');
    expect(listed.stdout).toMatch(/dev +dev-1 .* ready\nprod +prod-1 .* ready/);
  });
});
