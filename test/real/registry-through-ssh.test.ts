import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BareHost } from '../../scripts/lab/lab.ts';
import { labsWork, setupTime, TestProject } from '../support/pipeline-fixture.ts';
import { registryUser, TestRegistry } from '../support/registry-fixture.ts';
import { copyImage, makeLayer } from '../support/registry-upload.ts';
import { runningImages } from '../support/running-images.ts';

const mebibyte = 2 ** 20;

// The tests of this file are one story: each goes on where the one before ended.
describe.runIf(labsWork)('hosts that cannot reach the registry', () => {
  let project: TestProject;
  let folder: string;

  beforeAll(async () => {
    const environments = { dev: { hosts: 1, reach: 'ssh' as const }, prod: { hosts: 2, reach: 'ssh' as const } };
    project = await TestProject.open({ app: 'small-app', environments, layers: false });
    folder = await mkdtemp(join(tmpdir(), 'lockage-through-'));
    await project.configure({ pipeline: ['dev', { name: 'prod', after: [] }], standby: 0 });
    await project.publish({ '1.0.0': {}, '1.1.0': {} });
    for (const host of project.lab.hosts) {
      const rule = ['-d', project.lab.registry.split(':')[0] ?? '', '-p', 'tcp', '--dport', '5000', '-j', 'REJECT'];
      await host.exec(['iptables', '-w', '10', '-I', 'OUTPUT', ...rule]);
    }
  }, setupTime);

  afterAll(async () => {
    await project?.remove();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  /** Ports of the loopback that somebody listens at. */
  const listening = async (host: BareHost) =>
    (await host.exec(['cat', '/proc/net/tcp']))
      .split('\n')
      .flatMap((line) => /^\s*\d+: 0100007F:([0-9A-F]{4}) 00000000:0000 0A/.exec(line)?.[1] ?? []);

  const imageNames = async (host: BareHost) =>
    (await host.exec(['docker', 'images', '--all', '--format', '{{.Repository}}:{{.Tag}}@{{.Digest}}'])).trim();

  test('get no release by themselves: the promotion is refused and says why', async () => {
    const refused = await project.promote('1.0.0', 'prod');
    expect([refused.code, refused.json?.error.details], refused.stderr).toEqual([
      2,
      [
        expect.stringMatching(/^prod-1: cannot pull .*connection refused/),
        expect.stringMatching(/^prod-2: cannot pull .*connection refused/),
      ],
    ]);
    expect(refused.json.error.hint).toContain('registry: { through: ssh }');
    expect(await project.releaseContainers('prod')).toEqual([]);
  });

  test('get it, and their edges, over ssh, and nothing is left of the way', async () => {
    await project.configure({ registry: { through: 'ssh' } });
    for (const version of ['1.0.0', '1.1.0']) {
      const promoted = await project.promote(version, 'prod');
      expect(promoted.code, promoted.stderr).toBe(0);
      expect(await project.versions('prod')).toEqual([version, version]);
    }
    for (const host of project.hosts('prod')) {
      expect(await listening(host)).toEqual([]);
      expect(await runningImages(host)).toEqual([
        expect.stringMatching(new RegExp(`^${project.lab.registry}/lockage-base/edge[:@]sha256[-:][0-9a-f]{64}$`)),
        expect.stringMatching(new RegExp(`^${project.lab.registry}/trial[:@]sha256[-:][0-9a-f]{64}$`)),
      ]);
      // 1.0.0 may be gone back to; nothing has the name under which it came.
      const names = await imageNames(host);
      expect(names).not.toContain('127.0.0.1');
      expect(names.match(/\/trial:sha256-/g)).toHaveLength(2);
    }
    const status = (await project.succeed('status', '--env', 'prod')).json;
    expect(status).toMatchObject({ version: '1.1.0', problems: [], hosts: { ready: 2, total: 2 } });
    expect((await project.promote('1.1.0', 'prod')).json).toMatchObject({ outcome: 'unchanged' });
    const back = await project.rollback('prod');
    expect([back.code, await project.versions('prod')], back.stderr).toEqual([0, ['1.0.0', '1.0.0']]);
  });

  test('get it from a registry with a login that they do not have', async () => {
    const closed = await TestRegistry.start({ login: true });
    try {
      const password = Buffer.from(`${registryUser.username}:${registryUser.password}`).toString('base64');
      const to = { registry: closed.address, name: 'team/shop', authorization: `Basic ${password}` };
      const digest = await copyImage({ registry: project.lab.registry, name: 'trial' }, 'build-1.1.0', to);
      await writeFile(join(folder, 'config.json'), JSON.stringify({ auths: { [closed.address]: { auth: password } } }));
      const image = `${closed.address}/team/shop@${digest}`;
      const login = { DOCKER_CONFIG: folder };
      const words = ['release', '2.0.0', '--image', image, '--json'];
      const released = await project.start(words, login).ended;
      expect(released.code, released.stderr).toBe(0);

      const promote = ['promote', '2.0.0', '--to', 'dev', '--yes', '--json'];
      const stranger = await project.start(promote, { DOCKER_CONFIG: tmpdir() }).ended;
      expect([stranger.code, stranger.json?.error.details]).toEqual([2, [expect.stringContaining('demands a login')]]);
      expect(stranger.json?.error.hint).toContain('docker login');
      const promoted = await project.start(promote, login).ended;
      expect([promoted.code, await project.versions('dev')], promoted.stderr).toEqual([0, ['2.0.0']]);

      const [host] = project.hosts('dev');
      const places = [join(project.lab.dataDir, 'hosts', 'dev-1'), '/run', '/etc/docker'];
      const search = [
        'grep',
        '-rlFs',
        '-D',
        'skip',
        '--exclude-dir=overlay2',
        '-e',
        registryUser.password,
        '-e',
        password,
        ...places,
      ];
      expect(await host?.exec(['sh', '-c', '"$@" || true', 'sh', ...search])).toBe('');
    } finally {
      await closed.stop();
    }
  });

  test('get a layer of 520 MiB through little memory, also after a command that was killed half-way', async () => {
    const from = { registry: project.lab.registry, name: 'trial' };
    const layer = await makeLayer(join(folder, 'layer'), 520);
    const digest = await copyImage(from, 'build-1.1.0', { ...from, name: 'trial' }, layer);
    await project.succeed('release', '3.0.0', '--image', `${project.lab.registry}/trial@${digest}`);
    const [host] = project.hosts('dev');
    if (!host) throw new Error('dev has no host');

    const killed = project.start(['promote', '3.0.0', '--to', 'dev', '--yes', '--json']);
    while ((await listening(host)).length === 0) await sleep(50);
    await sleep(1000);
    killed.kill('SIGKILL');
    await killed.ended;
    expect(await listening(host)).toHaveLength(1);

    const running = project.start(['promote', '3.0.0', '--to', 'dev', '--yes', '--json']);
    let most = 0;
    const measured = setInterval(() => {
      void readFile(`/proc/${running.pid}/status`, 'utf8').then(
        (text) => (most = Math.max(most, Number(/^VmHWM:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024)),
        () => undefined,
      );
    }, 50);
    const promoted = await running.ended;
    clearInterval(measured);
    expect([promoted.code, await project.versions('dev')], promoted.stderr).toEqual([0, ['3.0.0']]);
    expect(promoted.json.bytesMoved['dev-1']).toBeGreaterThan(520 * mebibyte);
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(300 * mebibyte);
    expect(await listening(host)).toEqual([]);
    expect(await imageNames(host)).not.toContain('lockage-pull');
    const sockets = await readdir(join(project.env['XDG_RUNTIME_DIR'] ?? '', 'lockage'));
    expect(sockets.filter((name) => name.endsWith('.offer'))).toEqual([]);
  }, 300_000);
});
