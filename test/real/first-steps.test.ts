import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { archiveOf, hostRecipe, machineImage } from '../../infra/machines/image/image.ts';
import { cacheFolder } from '../../infra/system/cache-folder.ts';
import { createMachine, type LabMachine } from '../../scripts/lab/machine.ts';
import { baseImages } from '../../scripts/setup/images/base-images.ts';
import { Desk } from '../support/desk.ts';
import { command, docker } from '../support/engine-fixture.ts';
import { labsWork, setupTime } from '../support/pipeline-fixture.ts';

// What somebody does who has a Dockerfile, and an engine that set-up worked on: no registry, no network, no git.
describe.runIf(labsWork)('from a folder with a Dockerfile to a service', () => {
  let desk: Desk;
  let shop: string;

  beforeAll(async () => {
    desk = await Desk.open({});
    shop = await desk.folder('shop');
    // One with the store of containerd would leave out of a later pull what it has unpacked from the archive.
    await desk.docker('pull', '--quiet', `${desk.lab.registry}/${baseImages.edge}`);
    const archive = join(shop, '../base.tar');
    await docker('save', '--output', archive, baseImages.registry, baseImages.edge);
    await desk.docker('load', '--quiet', '--input', archive);
  }, setupTime);

  afterAll(async () => desk?.remove());

  const visit = async () =>
    (await fetch(`http://${desk.host.address}:8080/`, { headers: { connection: 'close' } })).text();

  test('`init`, `release` and `promote` each work at once', async () => {
    const made = await desk.run(shop, ['init']);
    expect([made.code, made.stdout], made.stderr).toEqual([0, expect.stringContaining('`lockage release 0.1.0`')]);
    const released = await desk.run(shop, ['release', '0.1.0']);
    expect([released.code, released.stdout], released.stderr).toEqual([0, expect.stringContaining('of no commit')]);
    const promoted = await desk.run(shop, ['promote', '0.1.0', '--to', 'dev', '--yes']);
    expect(promoted.code, promoted.stderr).toBe(0);
    expect(await visit()).toBe('0.1.0 of shop');
    const told = promoted.stderr.split('\n').filter((line) => line.includes('lockage-base/edge'));
    expect(told).toEqual([expect.stringMatching(/caddy:2 cannot be pulled: the edge is lockage-base\/edge/)]);
  });

  test('the edge that stands in is recorded by its digest, and stays', async () => {
    const edge = JSON.parse(await desk.docker('inspect', 'shop-dev-edge', '--format', '{{json .Config.Image}}'));
    expect(edge).toMatch(/^embedded\.lockage\.internal\/lockage-edge[:@]sha256[-:][0-9a-f]{64}$/);
    const again = await desk.succeed(shop, 'promote', '0.1.0', '--to', 'dev', '--yes');
    expect(again.outcome).toBe('unchanged');
    expect(await desk.docker('images', '--format', '{{.Repository}}')).not.toContain('127.0.0.1');
  });

  test('what runs is reproduced and bundled with the same edge', async () => {
    const edge = await desk.docker('inspect', 'shop-dev-edge', '--format', '{{.Image}}');
    const here = await desk.succeed(shop, 'reproduce', 'dev', '--yes');
    expect(here.differences.map(({ what }: { what: string }) => what)).not.toContain('edge');
    expect(await desk.docker('inspect', 'shop-dev-here-edge', '--format', '{{.Image}}')).toBe(edge);
    await desk.succeed(shop, 'bundle', 'dev', '--output', 'dev.lockage');
    const { ports } = here;
    const url = `http://${desk.host.address}:${ports[8080]}/`;
    expect(await (await fetch(url, { headers: { connection: 'close' } })).text()).toBe('0.1.0 of shop');
  });

  test('once there is a commit, releases are made of it', async () => {
    await desk.commit(shop, 'start');
    const { release } = await desk.succeed(shop, 'release', '0.2.0');
    expect(release).toMatchObject({ commit: expect.stringMatching(/^[0-9a-f]{40}$/) });
    expect(release.dirty).toBe(undefined);
    const { releases } = await desk.succeed(shop, 'releases');
    expect(releases.map(({ version, commit, dirty }: any) => [version, commit, dirty])).toEqual(
      expect.arrayContaining([
        ['0.1.0', undefined, true],
        ['0.2.0', release.commit, undefined],
      ]),
    );
    expect(await readFile(join(shop, '.gitignore'), 'utf8')).toContain('.lockage/');
  });
});

// As with Docker Desktop: the engine is in a machine of its own, which has none of this computer's files. Its socket is here, and the
// ports that it publishes at its loopback come here as soon as they are, through ssh.
describe.runIf(labsWork)('from a folder with a Dockerfile to a service, on an engine that shares no folder', () => {
  let desk: Desk;
  let machine: LabMachine;
  let connection: ChildProcess;
  let forwarding: NodeJS.Timeout;
  let shop: string;
  let env: Record<string, string>;

  beforeAll(async () => {
    const archive = archiveOf(await machineImage(join(cacheFolder(), 'machine-images'), hostRecipe));
    desk = await Desk.open({});
    shop = await desk.folder('shop');
    machine = await createMachine(desk.lab.dataDir, 'vm', archive);
    const socket = join(shop, '../vm.sock');
    const control = join(shop, '../ssh');
    const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR'];
    const words = [
      'ssh',
      '-N',
      '-M',
      '-S',
      control,
      '-i',
      machine.identity,
      ...options.flatMap((each) => ['-o', each]),
    ];
    const there = `root@${machine.address}`;
    connection = spawn(
      'nsenter',
      [`--net=/run/netns/${desk.lab.name}-desk-1`, ...words, '-L', `${socket}:/var/run/docker.sock`, there],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    const url = `unix://${socket}`;
    await vi.waitUntil(() => existsSync(socket), { timeout: 60_000 });
    const answers = () => command('docker', '-H', url, 'version', '--format', '{{.Server.Version}}').catch(() => '');
    await vi.waitUntil(async () => (await answers()) !== '', { timeout: 120_000, interval: 500 });
    const forwarded = new Set<string>();
    forwarding = setInterval(() => {
      void command('docker', '-H', url, 'ps', '--format', '{{.Ports}}').then(
        (ports) => {
          for (const [, port = ''] of ports.matchAll(/127\.0\.0\.1:(\d+)->/g)) {
            if (forwarded.has(port)) continue;
            forwarded.add(port);
            void command('ssh', '-S', control, '-O', 'forward', '-L', `127.0.0.1:${port}:127.0.0.1:${port}`, there);
          }
        },
        () => undefined,
      );
    }, 200);
    const base = join(shop, '../base.tar');
    await docker('save', '--output', base, baseImages.registry, baseImages.edge);
    await command('docker', '-H', url, 'load', '--quiet', '--input', base);
    env = { DOCKER_CONFIG: join(shop, '../docker'), DOCKER_HOST: '' };
    await command('env', ...variables(), 'docker', 'context', 'create', 'vm', '--docker', `host=${url}`);
    await command('env', ...variables(), 'docker', 'context', 'use', 'vm');
    const dockerfile = join(shop, 'Dockerfile');
    const text = await readFile(dockerfile, 'utf8');
    await writeFile(dockerfile, text.replace(/^FROM .*$/m, `FROM ${baseImages.edge}`));
  }, setupTime);

  afterAll(async () => {
    clearInterval(forwarding);
    if (connection && connection.exitCode === null) {
      connection.kill();
      await once(connection, 'exit');
    }
    await machine?.destroy();
    await desk?.remove();
  }, setupTime);

  const variables = () => Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const inMachine = (...words: string[]) => machine.exec(['docker', ...words]);

  test('`init`, `release` and `promote` each work at once, by the current context, and nothing is mounted from a folder', async () => {
    for (const words of [['init'], ['release', '0.1.0'], ['promote', '0.1.0', '--to', 'dev', '--yes']]) {
      const { code, stderr } = await desk.run(shop, words, env);
      expect([words[0], code], stderr).toEqual([words[0], 0]);
    }
    expect(await readFile(join(shop, 'environments/dev.yaml'), 'utf8')).toMatch(/- unix:\/\/\S*vm\.sock/);
    const visited = await fetch(`http://${machine.address}:8080/`, { headers: { connection: 'close' } });
    expect(await visited.text()).toBe('0.1.0 of shop');
    const ids = (await inMachine('ps', '--all', '--quiet', '--no-trunc')).trim().split('\n');
    const found = JSON.parse(await inMachine('inspect', ...ids)) as { HostConfig: any; Mounts: { Type: string }[] }[];
    expect(found.length).toBeGreaterThanOrEqual(3);
    expect(found.flatMap(({ HostConfig }) => HostConfig.Binds ?? [])).toEqual([]);
    expect(found.flatMap(({ Mounts }) => Mounts.map(({ Type }) => Type)).filter((type) => type !== 'volume')).toEqual(
      [],
    );
    // The engine of the operator's own computer was asked for nothing.
    expect(await desk.docker('ps', '--all', '--quiet')).toBe('');
  });
});
