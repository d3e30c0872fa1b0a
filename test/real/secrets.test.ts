import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formsOf } from '../support/canary.ts';
import { labsWork, setupTime, TestProject, type CommandResult } from '../support/pipeline-fixture.ts';

describe.runIf(labsWork)('the value of a secret', () => {
  const canary = `canary-${randomBytes(12).toString('hex')}`;
  const forms = formsOf(canary);
  let project: TestProject;
  const said: string[] = [];

  beforeAll(async () => {
    const web = {
      port: 8080,
      publish: 8000,
      health: { path: '/healthz', timeout: '10s' },
      secrets: ['TOKEN'],
      stop: '2s',
      // Programs ask for a folder in memory at /run, which lies over the one that secrets are in.
      hardening: { tmpfs: { '/run': '1MiB' } },
      extraHosts: { 'host.docker.internal': 'host-gateway' },
    };
    project = await TestProject.open(
      { environments: { prod: { hosts: 1, reach: 'unix' } } },
      {
        roles: { web },
        secrets: { TOKEN: { env: 'TOKEN' } },
        migration: { command: ['node', 'web.mjs', 'migrate'], secrets: ['TOKEN'] },
      },
    );
    project.env['TOKEN'] = canary;
    await project.publish({
      '1.0.0': { echoSecrets: true },
      '1.1.0': {},
      '1.2.0': { unhealthy: true, echoSecrets: true },
    });
    await keep(project.promote('1.0.0', 'prod'), 0);
    await keep(project.run('promote', '1.1.0', '--to', 'prod', '--yes'), 0);
    await keep(project.promote('1.2.0', 'prod'), 3);
    await keep(project.run('promote', '1.2.0', '--to', 'prod', '--yes'), 3);
  }, setupTime);

  afterAll(async () => project?.remove());

  async function keep(result: Promise<CommandResult>, code: number): Promise<CommandResult> {
    const ended = await result;
    said.push(ended.stdout, ended.stderr);
    expect(ended.code, ended.stderr).toBe(code);
    return ended;
  }

  function expectSilent(text: string): void {
    for (const form of forms) expect(text.includes(form), `${form} in ${excerpt(text, form)}`).toBe(false);
  }

  test('is what the application reads', async () => {
    const [answer] = await project.answers('prod');
    expect(answer?.secretHash).toBe(createHash('sha256').update(canary).digest('hex'));
  });

  test('is left there by a folder in memory at /run, which the application may write to', async () => {
    const words = [
      'exec',
      '-e',
      'prod',
      '--',
      'sh',
      '-c',
      'touch /run/app.pid && test -s /run/secrets/TOKEN && getent hosts host.docker.internal',
    ];
    await keep(project.run(...words), 0);
    await keep(project.run('drift', 'prod'), 0);
  });

  test('is in the output of no command, not even with the log of a program that prints it', async () => {
    await keep(project.run('status'), 0);
    await keep(project.run('status', '--env', 'prod', '--json'), 0);
    await keep(project.run('history', 'prod', '--json'), 0);
    await keep(project.run('releases', '--json'), 0);
    await keep(project.run('logs', '--env', 'prod'), 0);
    await keep(project.run('promote', '1.0.0', '--to', 'prod', '--plan', '--json'), 0);
    await keep(project.rollback('prod'), 0);
    await keep(project.run('rollback', 'prod', '--yes'), 2);
    expect(said.join('\n')).toContain('the secret is [secret]');
    expectSilent(said.join('\n'));
  });

  test('is nowhere in the project: state, records and what Pulumi works with', () => {
    // grep ends with 1 when it finds nothing.
    const { status, stdout } = spawnSync('grep', ['-rF', ...forms.flatMap((form) => ['-e', form]), project.folder], {
      encoding: 'utf8',
      timeout: 20_000,
    });
    expect([status, stdout]).toEqual([1, '']);
  });

  test('is not in the description, arguments or environment of any container', async () => {
    const engine = project.engine('prod-1');
    for (const { Id, State } of await engine.listContainers({ all: true })) {
      const details = await engine.inspectContainer(Id);
      expectSilent(JSON.stringify(details));
      if (State !== 'running') continue;
      const shown = await engine.exec(Id, [
        'sh',
        '-c',
        'cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr "\\0" "\\n"; true',
      ]);
      expect(shown.stdout).toContain('PATH=');
      expectSilent(shown.stdout);
    }
  });

  test('is gone from the host with the container that needed it', async () => {
    const engine = project.engine('prod-1');
    const volumes = (await engine.listVolumes({})).filter(({ Name }) => Name.endsWith('.secrets'));
    const there = await engine.listContainers({ all: true, labels: { 'lockage.part': 'release' } });
    const names = there.map(({ Names }) => `${Names[0]?.slice(1)}.secrets`).sort();
    expect(names.length).toBeGreaterThan(0);
    expect(volumes.map(({ Name }) => Name).sort()).toEqual(names);
    expectSilent(JSON.stringify(volumes));
    // Nowhere else on the host, either: neither in its memory nor in what the engine keeps.
    const { DockerRootDir: root } = await engine.info();
    const search = ['sh', '-c', 'grep -rlF -- "$1" "$2" /run; true', 'sh', canary, root];
    const found = (await project.lab.host('prod-1').exec(search, { timeout: 60_000 })).trim().split('\n').sort();
    const files = names.map((name) => `${root}/volumes/${name}/_data/TOKEN`);
    // What the program itself prints is in its log: that of one that echoes secrets.
    expect(found.filter((file) => !file.endsWith('-json.log'))).toEqual(files.sort());
  });
});

function excerpt(text: string, form: string): string {
  const at = text.indexOf(form);
  return at < 0 ? '' : text.slice(Math.max(0, at - 100), at + form.length + 50);
}
