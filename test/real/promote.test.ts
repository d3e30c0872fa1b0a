import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startLoad } from '../../scripts/load/load.ts';
import { labsWork, setupTime, TestProject } from '../support/pipeline-fixture.ts';

describe.runIf(labsWork)('a promotion', () => {
  let project: TestProject;

  beforeAll(async () => {
    project = await TestProject.open({
      environments: { dev: { hosts: 1, reach: 'unix' }, prod: { hosts: 3, reach: 'ssh' } },
    });
    await project.publish({
      '1.0.0': {},
      '1.1.0': { unhealthy: true },
      '1.2.0': { unhealthyOn: 'prod-2' },
      '1.3.0': { crashAfterVisitMs: 1200, crashIn: 'prod' },
      '1.4.0': { ignoreTerm: true },
      '1.5.0': { migrationFails: true },
      '1.6.0': { crashAfterMs: 1200, crashIn: 'prod' },
    });
    // What prod must refuse has to pass dev first: there nobody waits long enough to see it crash.
    await project.configureEnvironment('dev', { watch: '0s' });
    await project.succeed('promote', '1.0.0', '--to', 'dev');
    await project.succeed('promote', '1.0.0', '--to', 'prod');
  }, setupTime);

  afterAll(async () => project?.remove());

  test('every host runs the recorded digest', async () => {
    const { releases } = (await project.succeed('releases')).json;
    const { digest } = releases.find(({ version }: { version: string }) => version === '1.0.0');
    for (const { name } of project.hosts('prod')) {
      const [container] = await project.engine(name).listContainers({ labels: { 'lockage.part': 'release' } });
      const details = await project.engine(name).inspectContainer(container?.Id ?? '');
      expect(details?.Config.Image).toBe(`${project.lab.registry}/trial@${digest}`);
      expect((await project.engine(name).inspectImage(details?.Image ?? ''))?.RepoDigests).toContain(
        `${project.lab.registry}/trial@${digest}`,
      );
    }
    expect(await project.versions('prod')).toEqual(['1.0.0', '1.0.0', '1.0.0']);
  });

  test('promoting what runs changes nothing and succeeds', async () => {
    const before = await project.snapshot('prod');
    const again = await project.promote('1.0.0', 'prod');
    expect([again.code, again.json.outcome]).toEqual([0, 'unchanged']);
    expect(await project.snapshot('prod')).toEqual(before);
    expect((await project.succeed('history', 'prod')).json.revisions).toHaveLength(1);
  });

  test('leaves nothing in the backend that a crash could have left half written', async () => {
    const files = await readdir(join(project.folder, '.lockage'), { recursive: true });
    expect(files.filter((file) => file.endsWith('prod.json'))).toHaveLength(1);
    expect(files.filter((file) => file.endsWith('.attrs'))).toEqual([]);
  });

  test('an error that nobody waits for ends a command as a bug', async () => {
    const later = `data:text/javascript,setTimeout(()=>{throw new Error('unheard')},400)`.replaceAll(' ', '%20');
    const followed = project.start(['logs', '-e', 'dev', '-f'], { NODE_OPTIONS: `--import=${later}` });
    const { code, stderr } = await followed.ended;
    expect([code, stderr]).toEqual([70, expect.stringContaining('This is a bug of Lockage')]);
  });

  test('a release may not skip an environment', async () => {
    const before = await project.snapshot('prod');
    const refused = await project.promote('1.1.0', 'prod');
    expect([refused.code, refused.json.error.message]).toEqual([2, 'release 1.1.0 may not enter prod']);
    expect(refused.json.error.details).toEqual(['1.1.0 has not run well in dev, which runs 1.0.0']);
    expect(await project.snapshot('prod')).toEqual(before);
  });

  test('the plan names every container and nothing changes', async () => {
    const before = await project.snapshot('dev');
    const planned = await project.run('promote', '1.4.0', '--to', 'dev', '--plan', '--json');
    expect([planned.code, planned.json.outcome]).toEqual([0, 'planned']);
    const changes = planned.json.plan.containers.map(({ action, host, role, version }: Record<string, string>) => [
      ...[action, host, role, version],
    ]);
    expect(changes).toEqual([
      ['create', 'dev-1', 'web', '1.4.0'],
      ['standby', 'dev-1', 'web', '1.0.0'],
    ]);
    expect(await project.snapshot('dev')).toEqual(before);
  });

  test('a release container is closed in as configured', async () => {
    const [container] = await project.engine('prod-1').listContainers({ labels: { 'lockage.part': 'release' } });
    const details = await project.engine('prod-1').inspectContainer(container?.Id ?? '');
    expect(details?.HostConfig).toMatchObject({
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      Memory: 256 * 2 ** 20,
      MemorySwap: 256 * 2 ** 20,
      NanoCpus: 1e9,
      PidsLimit: 256,
      NetworkMode: 'trial-prod',
      // Only once it has proved itself may its engine bring it back.
      RestartPolicy: { Name: 'always' },
      LogConfig: { Type: 'json-file', Config: { 'max-size': '3495253', 'max-file': '3' } },
    });
    expect(details?.HostConfig.Privileged).toBe(false);
    expect(Object.keys(details?.HostConfig.PortBindings ?? {})).toEqual([]);
    const inside = await project
      .engine('prod-1')
      .exec(container?.Id ?? '', ['sh', '-c', 'id -u; touch /app/x || echo read-only']);
    expect(inside.stdout).toBe('1000\nread-only\n');
    // Whoever breaks into the application finds no engine, and cannot become anybody else.
    const look = 'cat /proc/1/status; ls /run/docker.sock /var/run/docker.sock /dev/mem 2>/dev/null; true';
    const found = (await project.engine('prod-1').exec(container?.Id ?? '', ['sh', '-c', look])).stdout;
    expect(found).toMatch(/^NoNewPrivs:\t1$/m);
    expect(found).toMatch(/^CapBnd:\t0+$/m);
    expect(found).toMatch(/^Seccomp:\t2$/m);
    expect(found).not.toMatch(/\.sock|\/dev\/mem/);
  });

  test('an opened hardening and its reason are recorded with the revision', async () => {
    const hardening = { readOnly: { value: false, reason: 'writes its cache beside the code' } };
    await project.configureEnvironment('dev', { watch: '0s', roles: { web: { hardening } } });
    const promoted = await project.succeed('promote', '1.4.0', '--to', 'dev');
    expect(promoted.json.revision.containers[0].hardening).toMatchObject({
      readOnly: false,
      reasons: { readOnly: 'writes its cache beside the code' },
    });
    const id = (await project.containerIds('dev'))['dev-1 1.4.0'] ?? '';
    expect((await project.engine('dev-1').inspectContainer(id))?.HostConfig.ReadonlyRootfs).toBe(false);
  });

  test('what differs between two environments is told, and of one as it runs nothing', async () => {
    const { code, json } = await project.run('diff', 'prod', 'dev', '--json');
    expect([code, json.notes]).toEqual([5, []]);
    expect(json.differences).toContainEqual({ what: 'version', change: 'changed', a: '1.0.0', b: '1.4.0' });
    const hardening = { what: 'hardening.readOnly', role: 'web', change: 'changed', a: 'true', b: 'false' };
    expect(json.differences).toContainEqual(hardening);
    expect(json.layers.shared.count).toBeGreaterThan(0);
    expect((await project.run('diff', 'prod@running', 'prod')).code).toBe(0);
  });

  describe('that fails', () => {
    test('leaves the old release serving without one failed request', async () => {
      await project.configureEnvironment('dev', { watch: '0s', roles: { web: { health: { path: '/version' } } } });
      for (const version of ['1.1.0', '1.2.0', '1.3.0', '1.6.0'])
        await project.succeed('promote', version, '--to', 'dev');
      const before = await project.snapshot('prod');
      const ids = await project.containerIds('prod');
      const urls = [...project.urls('prod'), ...project.urls('dev')];
      const load = await startLoad({ urls, rate: 100, connections: 'both' });

      const never = await project.promote('1.1.0', 'prod');
      expect([never.code, never.json.error.message]).toEqual([
        3,
        expect.stringMatching(/web 1\.1\.0 was not healthy within 10 s/),
      ]);
      const details: string[] = never.json.error.details;
      expect(details).toContain('last health answers:');
      expect(details.join('\n')).toMatch(/503/);
      expect(details.join('\n')).toMatch(/trial 1\.1\.0 \(built as 1\.1\.0\) listens/);
      expect(details).toContain('prod serves 1.0.0 as before');
      expect(await project.snapshot('prod')).toEqual(before);

      const oneHost = await project.promote('1.2.0', 'prod');
      expect([oneHost.code, oneHost.json.error.message]).toEqual([3, expect.stringContaining('prod-2: web 1.2.0')]);
      expect(oneHost.stderr).not.toMatch(/ switch\b/);
      expect(await project.snapshot('prod')).toEqual(before);

      // Its first visitor comes after the switch, so its crash is seen by the watch.
      await project.configureEnvironment('prod', { watch: '8s' });
      const crashed = await project.promote('1.3.0', 'prod');
      expect([crashed.code, crashed.json.error.message]).toEqual([
        3,
        expect.stringMatching(/web 1\.3\.0 stopped after the routes switched/),
      ]);
      expect(crashed.json.error.details.join('\n')).toContain('crashing, as it was built to');
      expect(await project.snapshot('prod')).toEqual(before);

      await project.configure({ migration: { command: ['node', 'web.mjs', 'migrate'] } });
      const beforeMigration = await project.snapshot('dev');
      const notMigrated = await project.promote('1.5.0', 'dev');
      expect([notMigrated.code, notMigrated.json.error.message]).toEqual([3, expect.stringContaining('exit code 7')]);
      expect(notMigrated.json.error.details.join('\n')).toContain('migrating to 1.5.0');
      expect(await project.snapshot('dev')).toEqual(beforeMigration);

      const stats = await load.stop();
      expect(stats, JSON.stringify(stats.failures)).toMatchObject({ failed: 0 });
      expect(stats.sent).toBeGreaterThan(500);
      expect(await project.containerIds('prod')).toEqual(ids);
      const { revisions } = (await project.succeed('history', 'prod')).json;
      expect(revisions.map(({ result, release }: any) => `${release.version} ${result}`)).toEqual([
        ...['1.3.0 failed', '1.2.0 failed', '1.1.0 failed', '1.0.0 succeeded'],
      ]);
    });

    test('after it was healthy, while another container proves itself, is not switched to', async () => {
      const web = { port: 8080, publish: 8000, health: { path: '/healthz', timeout: '10s' }, stop: '4s' };
      await project.configure({ roles: { web, worker: { health: { running: '20s' }, stop: '1s' } } });
      const crashed = await project.promote('1.6.0', 'prod');
      expect([crashed.code, crashed.json.error.message]).toEqual([
        3,
        expect.stringMatching(/web 1\.6\.0 stopped before the routes switched \(exit code 1\)/),
      ]);
      expect(crashed.stderr).not.toMatch(/ switch\b/);
      expect(await project.versions('prod')).toEqual(['1.0.0', '1.0.0', '1.0.0']);
    });

    test('before the switch while one host has lost its public port, which status shows', async () => {
      await project.succeed('promote', '1.4.0', '--to', 'dev');
      const host = project.lab.host('prod-2');
      await host.exec(['iptables', '-t', 'nat', '-F', 'DOCKER']);
      await host.exec(['pkill', '-f', 'docker-proxy']);
      try {
        const seen = await project.run('status', '--check', '--json');
        const { hosts, problems } = seen.json.environments.find(({ name }: { name: string }) => name === 'prod');
        expect([seen.code, hosts, problems]).toEqual([
          5,
          { ready: 2, total: 3 },
          [expect.stringMatching(/^prod-2: port 8000 does not answer visitors: .*refused/)],
        ]);
        const refused = await project.promote('1.4.0', 'prod');
        expect([refused.code, refused.json.error.message]).toEqual([5, expect.stringContaining('no host switched')]);
        expect(refused.json.error.details.join('\n')).toContain('prod-2: port 8000 does not answer visitors');
      } finally {
        await host.stopDocker();
        await host.startDocker();
      }
      // The engine answers before it has started all containers.
      const served = () => project.versions('prod').catch(() => []);
      await expect.poll(served, { timeout: 60_000 }).toEqual(['1.0.0', '1.0.0', '1.0.0']);
    });
  });
});
