import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PullProgress } from '../../infra/docker/api/client.ts';
import { storedOn } from '../../infra/hosts/stored.ts';
import { RegistryClient } from '../../infra/registry/client.ts';
import type { Digest } from '../../pipelines/model/release.ts';
import { docker, importShellImage, openEngine, removeAll, testPrefix } from '../support/engine-fixture.ts';
import { host } from '../pipelines/model/values.ts';
import { registryUser, TestRegistry } from '../support/registry-fixture.ts';

const prefix = testPrefix();
const engine = openEngine();
const unknown: Digest = `sha256:${'0'.repeat(64)}`;
let open: TestRegistry;
let closed: TestRegistry;
let login: string;
let repository: string;
let digest: Digest;

beforeAll(async () => {
  open = await TestRegistry.start();
  closed = await TestRegistry.start({ login: true });
  login = await mkdtemp(join(tmpdir(), 'lockage-login-'));
  const auth = Buffer.from(`${registryUser.username}:${registryUser.password}`).toString('base64');
  await writeFile(join(login, 'config.json'), JSON.stringify({ auths: { [closed.address]: { auth } } }));
  repository = `${open.address}/${prefix}/shop`;
  await importShellImage(`${prefix}:1`, prefix);
  for (const target of [`${repository}:1`, `${closed.address}/${prefix}:1`]) {
    await docker('tag', `${prefix}:1`, target);
    await docker('--config', login, 'push', '-q', target);
  }
  digest = await new RegistryClient().resolve(repository, '1');
});

afterAll(async () => {
  const names = (await docker('images', '--format', '{{.Repository}}@{{.Digest}} {{.ID}}')).split('\n');
  const ids = names.filter((name) => name.includes(prefix)).map((name) => name.split(' ')[1] ?? '');
  if (ids.length > 0) await docker('rmi', '-f', ...new Set(ids));
  await removeAll(prefix);
  await open.stop();
  await closed.stop();
  await rm(login, { recursive: true, force: true });
  engine.close();
});

describe('a registry', () => {
  const registry = new RegistryClient();

  it('resolves a tag to the digest that the engine pushed', async () => {
    expect(await registry.tagDigest(repository, '1')).toBe(digest);
    expect((await engine.inspectImage(`${repository}:1`))?.RepoDigests).toContain(`${repository}@${digest}`);
  });

  it('gives what the image says about itself', async () => {
    const { Architecture: architecture } = (await engine.inspectImage(`${repository}:1`)) ?? {};
    expect(await registry.imageConfig(repository, digest)).toMatchObject({ os: 'linux', architecture, user: '' });
  });

  it('knows what it has', async () => {
    expect(await registry.exists(repository, digest)).toBe(true);
    expect(await registry.exists(repository, unknown)).toBe(false);
    expect(await registry.tagDigest(repository, 'absent')).toBeUndefined();
    await expect(registry.resolve(repository, 'absent')).rejects.toThrow(/has no absent of/);
    await expect(registry.manifest(repository, unknown)).rejects.toMatchObject({ name: 'LockageError' });
  });

  it('that is down is named', async () => {
    const stopped = await TestRegistry.start();
    await stopped.stop();
    await expect(registry.resolve(`${stopped.address}/shop`, '1')).rejects.toThrow(
      `cannot reach the registry ${stopped.address}`,
    );
  });

  it('that demands a login gets it, and says so without one', async () => {
    const target = `${closed.address}/${prefix}`;
    const known = new RegistryClient({ dockerConfig: login });
    expect(await known.resolve(target, '1')).toBe(digest);
    expect(await known.imageConfig(target, digest)).toMatchObject({ os: 'linux' });
    const stranger = new RegistryClient({ dockerConfig: tmpdir() });
    await expect(stranger.resolve(target, '1')).rejects.toThrow(`${closed.address} demands a login`);
    await expect(stranger.resolve(target, '1')).rejects.toMatchObject({
      hint: expect.stringContaining('docker login'),
    });
    expect(await stranger.registryAuthHeader(target)).toBeUndefined();
  });
});

describe('what a registry and an engine store', () => {
  it('is measured, listed with who uses it, and removed with all its names', async () => {
    const other = `${open.address}/${prefix}/gone`;
    await docker('tag', `${prefix}:1`, `${other}:2`);
    await docker('push', '-q', `${other}:2`);
    const registry = new RegistryClient();
    const found = await registry.resolve(other, '2');
    expect(await registry.size(other, found)).toEqual({ bytes: expect.any(Number) });
    await docker('create', '--name', `${prefix}-user`, `${prefix}:1`, 'sh');
    const place = { app: prefix, environment: 'prod', repositories: [other] };
    const { images } = await storedOn(engine, host('here'), place, {});
    expect(images).toMatchObject([{ digests: [found], usedBy: [`${prefix}-user`], bytes: expect.any(Number) }]);
    expect(images[0]?.names.toSorted()).toEqual([`${other}:2`, `${other}@${found}`]);
    await docker('rm', `${prefix}-user`);
    for (const name of images[0]?.names ?? []) await engine.removeImage(name);
    expect((await storedOn(engine, host('here'), place, {})).images).toEqual([]);
    // Others have it under a name of theirs.
    expect(await engine.inspectImage(`${prefix}:1`)).toBeDefined();
    expect(await registry.remove(other, found)).toBe(true);
    expect(await registry.size(other, found)).toBeUndefined();
    expect(await registry.remove(other, found)).toBe(true);
  });

  it('stays where the registry allows no deletion', async () => {
    const keeping = await TestRegistry.start({ keeps: true });
    const target = `${keeping.address}/shop`;
    await docker('tag', `${prefix}:1`, `${target}:1`);
    await docker('push', '-q', `${target}:1`);
    const registry = new RegistryClient();
    const found = await registry.resolve(target, '1');
    expect(await registry.remove(target, found)).toBe(false);
    expect(await registry.exists(target, found)).toBe(true);
    await docker('rmi', `${target}:1`);
    await keeping.stop();
  });
});

describe('a pull by digest', () => {
  it('reports progress and the bytes moved, and none the second time', async () => {
    await forget(`${repository}@${digest}`);
    const seen: PullProgress[] = [];
    const { bytes } = await engine.pull(repository, digest, { onProgress: (progress) => seen.push(progress) });
    const manifest = (await new RegistryClient().manifest(repository, digest)).bytes.toString('utf8');
    const { layers } = JSON.parse(manifest) as { layers: { size: number }[] };
    expect(layers).toHaveLength(1);
    expect(bytes).toBe(layers[0]?.size);
    expect(seen.some(({ status }) => status === 'Pull complete')).toBe(true);
    expect(await engine.pull(repository, digest)).toEqual({ bytes: 0 });
  });

  it('takes the credentials along, and fails by name without them', async () => {
    const target = `${closed.address}/${prefix}`;
    await forget(`${repository}@${digest}`);
    await expect(engine.pull(target, digest)).rejects.toThrow(/^here: cannot pull .*no basic auth credentials/);
    const auth = await new RegistryClient({ dockerConfig: login }).registryAuthHeader(target);
    const { bytes } = await engine.pull(target, digest, { auth });
    expect(bytes).toBeGreaterThan(0);
  });

  it('of what is not there, or from nowhere, fails with the reason', async () => {
    await expect(engine.pull(repository, unknown)).rejects.toThrow(/^here: cannot pull .*manifest/);
    const gone = await TestRegistry.start();
    await gone.stop();
    await expect(engine.pull(`${gone.address}/shop`, digest)).rejects.toThrow(/connection refused/);
  });

  it('ends at the signal', async () => {
    await forget(`${repository}@${digest}`);
    const reason = new Error('interrupted');
    await expect(engine.pull(repository, digest, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

/** Removes the image from the engine with all its names, so that its layer has to be pulled again. */
async function forget(reference: string): Promise<void> {
  const id = (await engine.inspectImage(reference))?.Id;
  if (id !== undefined) await docker('rmi', '-f', id);
}
