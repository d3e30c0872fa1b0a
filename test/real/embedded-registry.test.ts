import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RegistryClient } from '../../infra/registry/client.ts';
import { EmbeddedRegistry } from '../../scripts/project/embedded-registry.ts';
import { baseImages } from '../../scripts/setup/images/base-images.ts';
import { Desk } from '../support/desk.ts';
import { docker, importShellImage, testPrefix } from '../support/engine-fixture.ts';
import { labsWork, setupTime } from '../support/pipeline-fixture.ts';
import { runningImages } from '../support/running-images.ts';

describe('the registry of this computer', () => {
  const name = testPrefix();
  const told: string[] = [];
  const registry = new EmbeddedRegistry({ name, tell: (text) => void told.push(text) });
  const client = new RegistryClient();

  afterAll(async () => {
    const images = (await docker('images', '--format', '{{.Repository}}:{{.Tag}}')).split('\n');
    for (const image of images.filter((each) => each.includes(name))) await docker('rmi', '--force', image);
    await docker('rm', '--force', name);
    await docker('volume', 'rm', '--force', name);
  });

  const stored = async () => {
    const inside = await docker('system', 'df', '--verbose', '--format', '{{json .Volumes}}');
    return (JSON.parse(inside) as { Name: string; Size: string }[]).find((volume) => volume.Name === name)?.Size;
  };

  test('frees the disk of what was removed, and keeps all else', async () => {
    const commands = [registry, new EmbeddedRegistry({ name, tell: (text) => void told.push(text) })];
    const [first, second] = await Promise.all(commands.map((each) => each.running()));
    expect([second, told.length]).toEqual([first, 1]);
    const repository = `${first?.address}/${name}`;
    for (const version of ['1', '2']) {
      await importShellImage(`${repository}:${version}`, `${name}-${version}`);
      await docker('push', '--quiet', `${repository}:${version}`);
    }
    const [gone, kept] = [await client.resolve(repository, '1'), await client.resolve(repository, '2')];
    const before = await stored();
    await client.remove(repository, gone);
    expect(await stored()).toBe(before);
    await registry.collect();
    expect(Number.parseFloat((await stored()) ?? '')).toBeLessThan(Number.parseFloat(before ?? '') * 0.6);
    expect(await registry.running()).toEqual(first);
    expect([await client.exists(repository, gone), await client.exists(repository, kept)]).toEqual([false, true]);
    await docker('push', '--quiet', `${repository}:1`);
    expect(await client.resolve(repository, '1')).toBe(gone);
  });
});

// The tests of the group below are one story: each goes on where the one before ended.
describe.runIf(labsWork)('a project that names no repository', () => {
  let desk: Desk;
  let shop: string;
  let twin: string;
  let digests: Record<string, string> = {};

  beforeAll(async () => {
    desk = await Desk.open({ prod: { hosts: 1, reach: 'ssh' }, far: { hosts: 1, reach: 'unix' } });
    shop = await desk.folder('shop');
  }, setupTime);

  afterAll(async () => desk?.remove());

  /** The lab has no Docker Hub to get the edge from. */
  const withEdge = (folder: string) =>
    appendFile(
      join(folder, 'lockage.yaml'),
      `edge: { image: ${desk.lab.registry}/${baseImages.edge} }\ninsecureRegistries: ["${desk.lab.registry}"]\n`,
    );
  const promote = (version: string, to: string, folder = shop) =>
    desk.succeed(folder, 'promote', version, '--to', to, '--yes');
  const answerOf = async (host: string, port = 8080) =>
    (await fetch(`http://${desk.lab.host(host).address}:${port}/`, { headers: { connection: 'close' } })).text();
  const registryOf = async () =>
    JSON.parse(await desk.docker('container', 'inspect', '--format', '{{json .}}', 'lockage-registry'));

  async function release(version: string, folder = shop): Promise<any> {
    await desk.commit(folder, version);
    const { release: made } = await desk.succeed(folder, 'release', version);
    return made;
  }

  test('is configured by `init` without a question, and the first release says what the registry cannot be made from', async () => {
    const made = await desk.run(shop, ['init']);
    expect([made.code, made.stdout], made.stderr).toEqual([0, expect.stringContaining('created lockage.yaml')]);
    expect(await readFile(join(shop, 'environments/dev.yaml'), 'utf8')).toContain(`  - ${desk.host.dockerHost}\n`);
    await withEdge(shop);
    await desk.commit(shop, 'start');
    const refused = await desk.run(shop, ['release', '1.0.0', '--json']);
    expect([refused.code, refused.json?.error], refused.stderr).toMatchObject([
      2,
      {
        message: expect.stringContaining('there is no lockage-base/registry, and registry:3 cannot be pulled'),
        hint: expect.stringMatching(/`npm run setup`.*`repository: REPOSITORY`/),
      },
    ]);
    expect(await desk.docker('container', 'ls', '--all', '--quiet')).toBe('');
    const archive = join(shop, '../registry.tar');
    await docker('save', '--output', archive, baseImages.registry);
    await desk.docker('load', '--quiet', '--input', archive);
  });

  test('releases and promotes at once, to the engine of this computer and to a host over ssh', async () => {
    const made = await release('1.0.0');
    digests = { '1.0.0': made.digest };
    expect(made.repository).toMatch(/^embedded\.lockage\.internal\/shop-[0-9a-f]{8}$/);
    await promote('1.0.0', 'dev');
    expect(await answerOf('desk-1')).toBe('1.0.0 of shop');

    const { url, identity, hostKey } = desk.lab.host('prod-1');
    const target = JSON.stringify({ url, identity, hostKey });
    await writeFile(join(shop, 'environments/prod.yaml'), `targets: [${target}]\nwatch: 1s\n`);
    await promote('1.0.0', 'prod');
    expect(await answerOf('prod-1', 80)).toBe('1.0.0 of shop');
    const shown = await runningImages(desk.lab.host('prod-1'));
    // An engine with the store of containerd knows by its digest what came by a tag.
    expect(shown.map((image) => image.replace('@sha256:', ':sha256-'))).toContain(
      `${made.repository}:${made.digest.replace(':', '-')}`,
    );

    const { HostConfig, Mounts } = await registryOf();
    expect([HostConfig.PortBindings['5000/tcp'], HostConfig.RestartPolicy.Name]).toMatchObject([
      [{ HostIp: '127.0.0.1' }],
      'unless-stopped',
    ]);
    expect(Mounts).toMatchObject([{ Type: 'volume', Name: 'lockage-registry' }]);
    expect(await desk.docker('images', '--format', '{{.Repository}}')).not.toContain('127.0.0.1');
  });

  test('goes on when its registry was killed, at the same port', async () => {
    const { HostConfig: before } = await registryOf();
    await desk.docker('kill', 'lockage-registry');
    const { checks } = (await desk.run(shop, ['doctor', '--json'])).json;
    expect(checks.find(({ name }: any) => name === 'registry').text).toMatch(/lockage-registry, of .*is stopped$/);
    digests['1.1.0'] = (await release('1.1.0')).digest;
    await promote('1.1.0', 'dev');
    await desk.docker('kill', 'lockage-registry');
    await promote('1.1.0', 'prod');
    expect(await answerOf('prod-1', 80)).toBe('1.1.0 of shop');
    expect((await registryOf()).HostConfig.PortBindings).toEqual(before.PortBindings);
  });

  test('goes on when somebody else took its port, with all that was released', async () => {
    const { HostConfig: before } = await registryOf();
    const taken = Number(before.PortBindings['5000/tcp'][0].HostPort);
    await desk.docker('stop', '--time', '1', 'lockage-registry');
    const other = await desk.listen(taken);
    try {
      expect((await promote('1.1.0', 'prod')).outcome).toBe('unchanged');
      expect(Number((await registryOf()).HostConfig.PortBindings['5000/tcp'][0].HostPort)).toBeGreaterThan(taken);
    } finally {
      other.kill();
    }
  });

  test('does not mix with another one of the same name, which has the same registry', async () => {
    twin = await desk.folder('twin');
    expect((await desk.run(twin, ['init', '--app', 'shop'])).code).toBe(0);
    await withEdge(twin);
    const dev = join(twin, 'environments/dev.yaml');
    await writeFile(dev, (await readFile(dev, 'utf8')).replace('publish: 8080', 'publish: 8081'));
    const made = await release('1.0.0', twin);
    expect([made.repository, made.digest]).not.toEqual([expect.anything(), digests['1.0.0']]);
    const { releases } = await desk.succeed(shop, 'releases');
    expect(releases.map(({ version, digest }: any) => [version, digest])).toEqual(
      expect.arrayContaining(Object.entries(digests)),
    );
    expect((await desk.run(shop, ['prune', '--yes', '--json'])).code).toBe(0);
    expect((await desk.run(twin, ['doctor', '--json'])).stdout).toContain('lockage-registry');
  });

  test('cannot come to another engine without ssh, which is refused before anything changes', async () => {
    await writeFile(
      join(shop, 'environments/far.yaml'),
      `targets: [${desk.lab.host('far-1').dockerHost}]\nwatch: 1s\n`,
    );
    const file = join(shop, 'lockage.yaml');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace('pipeline: [dev, prod]', 'pipeline: [dev, prod, { name: far, after: [dev] }]'));
    const refused = await desk.run(shop, ['promote', '1.1.0', '--to', 'far', '--yes', '--json']);
    expect([refused.code, refused.json?.error], refused.stderr).toMatchObject([
      2,
      { hint: expect.stringContaining('lockage releases push --to REPOSITORY') },
    ]);
    expect(refused.stderr).toContain('far-1: cannot pull from the embedded registry of this computer');
    expect((await desk.lab.host('far-1').exec(['docker', 'ps', '--all', '--quiet'])).trim()).toBe('');
  });

  test('moves to a registry of one’s own with all releases, also when that was interrupted, and everything works on', async () => {
    const to = `${desk.lab.registry}/team/shop`;
    const push = ['releases', 'push', '--to', to];
    expect((await desk.run(shop, push, { LOCKAGE_FAILPOINT: 'at:copied' })).signal).toBe('SIGKILL');
    const pushed = await desk.succeed(shop, ...push);
    expect(pushed.releases).toMatchObject([
      { version: '1.0.0', digest: digests['1.0.0'], outcome: 'present' },
      { version: '1.1.0', digest: digests['1.1.0'], outcome: 'copied' },
    ]);
    expect(await desk.succeed(shop, ...push)).toMatchObject({ bytes: 0 });

    await desk.docker('stop', '--time', '1', 'lockage-registry');
    await appendFile(join(shop, 'lockage.yaml'), `repository: ${to}\n`);
    await promote('1.1.0', 'far');
    expect(await answerOf('far-1', 80)).toBe('1.1.0 of shop');
    expect(await runningImages(desk.lab.host('far-1'))).toContain(`${to}@${digests['1.1.0']}`);

    // A revision from before, whose image the host has lost: it comes from where it was copied to.
    const prod = desk.lab.host('prod-1');
    await desk.succeed(shop, 'rollback', 'prod', '--yes');
    expect(await answerOf('prod-1', 80)).toBe('1.0.0 of shop');
    await prod.exec(['sh', '-c', 'docker rm -f $(docker ps -aq --filter label=lockage.release=1.1.0)']);
    await prod.exec([
      'sh',
      '-c',
      `docker images --format '{{.Repository}}:{{.Tag}}' | grep ${digests['1.1.0']?.slice(7)} | xargs docker rmi`,
    ]);
    await desk.succeed(shop, 'rollback', 'prod', '--to', '1.1.0', '--yes');
    expect(await answerOf('prod-1', 80)).toBe('1.1.0 of shop');
    expect((await registryOf()).State.Running).toBe(false);
  });

  test('loses no registry with its environments, and others have theirs as before', async () => {
    await desk.succeed(shop, 'destroy', 'dev', '--volumes', '--yes');
    expect((await registryOf()).State.Running).toBe(false);
    const pushed = await desk.succeed(twin, 'releases', 'push', '--to', `${desk.lab.registry}/team/twin`);
    expect(pushed.releases).toMatchObject([{ version: '1.0.0', outcome: 'copied' }]);
    expect((await registryOf()).State.Running).toBe(true);
  });
});
