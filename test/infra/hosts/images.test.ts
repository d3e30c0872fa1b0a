import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EngineError } from '../../../infra/docker/api/errors.ts';
import { ensureImage, overSshError, removeUnusedImages } from '../../../infra/hosts/images.ts';
import { Engine } from '../../../infra/docker/api/client.ts';
import { RegistryClient, type Location } from '../../../infra/registry/client.ts';
import { LockageError } from '../../../pipelines/errors.ts';
import { hostWith } from '../../pipelines/model/values.ts';

const image = { repository: 'r.example.com/shop', digest: `sha256:${'a'.repeat(64)}` } as const;
const pull = (reason: string) => new EngineError('prod-1', 'pull 127.0.0.1:4711/lockage-pull/shop', reason);
const untrusted = 'cannot reach the registry r.example.com: unable to verify the first certificate';
const busy = new LockageError('r.example.com failed: 503', { hint: 'Try again later.' });

describe('a pull over ssh that fails', () => {
  it.each([
    [
      'says what the registry did as well as what the engine says',
      overSshError(image, pull('unexpected EOF'), busy),
      'r.example.com failed: 503 (the engine: unexpected EOF)',
      'Try again later.',
    ],
    [
      'has the hint for the engine’s own trouble, whatever else the registry did',
      overSshError(image, pull('write /var/lib/docker/x: no space left on device'), busy),
      'r.example.com failed: 503 (the engine: write /var/lib/docker/x: no space left on device)',
      'Free disk space on prod-1; nothing was removed to make room.',
    ],
    [
      'is not about the host’s certificates where the engine repeats what it was told of the registry’s',
      overSshError(image, pull(`502 Bad Gateway: ${untrusted}`), new LockageError(untrusted, { hint: 'Name its CA.' })),
      `502 Bad Gateway: ${untrusted}`,
      'Name its CA.',
    ],
    [
      'says what the engine says where the registry gave everything',
      overSshError(image, pull('no space left on device'), undefined),
      'no space left on device',
      'Free disk space on prod-1; nothing was removed to make room.',
    ],
  ])('%s', (_what, error, reason, hint) => {
    expect(error).toMatchObject({
      message: `prod-1: cannot pull r.example.com/shop@${image.digest} over ssh: ${reason}`,
      hint,
    });
  });
});

/** An engine with these images and containers, which pulls whatever it is asked for; what it did is kept. */
async function engineWith(has: readonly string[]) {
  const folder = await mkdtemp(join(tmpdir(), 'lockage-images-'));
  const did: string[] = [];
  const server = createServer(({ method, url = '' }, response) => {
    const path = decodeURIComponent(url).replace(/^\/v[\d.]+/, '');
    if (path === '/version') return void response.end('{"ApiVersion":"1.41","Version":"20.10.24"}');
    const [, name = ''] = /^\/(?:images|containers)\/(.+)\/json$/.exec(path) ?? [];
    if (method === 'GET') return void response.writeHead(has.includes(name) ? 200 : 404).end('{"Id":"sha256:1"}');
    did.push(`${method} ${path}`);
    response.writeHead(path.endsWith('/tag') ? 201 : 200).end();
  });
  const socketPath = join(folder, 'docker.sock');
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  const engine = new Engine({ host: 'dev-1', socketPath });
  const end = async () => {
    engine.close();
    server.close();
    await rm(folder, { recursive: true, force: true });
  };
  return { engine, did, end };
}

describe('an image of the registry of this computer', () => {
  const embedded = { repository: 'embedded.lockage.internal/shop-1', digest: image.digest } as const;
  const named = `${embedded.repository}:sha256-${'a'.repeat(64)}`;

  async function ensure(place: Location, has: readonly string[]) {
    const { engine, did, end } = await engineWith(has);
    try {
      const session = { connections: { engine: async () => engine }, signal: new AbortController().signal };
      const dependencies = {
        session,
        registry: new RegistryClient({ dockerConfig: tmpdir(), locate: async () => place }),
      };
      await ensureImage(
        dependencies as never,
        { registry: { through: 'network' } },
        hostWith('dev-1', { url: 'unix:///run/docker.sock' }),
        embedded,
      );
      return did;
    } finally {
      await end();
    }
  }

  const onThisEngine = { repository: '127.0.0.1:15050/shop-1', container: 'c0ffee' };

  it('is pulled from its port by the engine that it runs on, and keeps no name with the port', async () => {
    expect(await ensure(onThisEngine, ['c0ffee'])).toEqual([
      `POST /images/create?fromImage=127.0.0.1:15050/shop-1&tag=${image.digest}`,
      `POST /images/127.0.0.1:15050/shop-1@${image.digest}/tag?repo=${embedded.repository}&tag=sha256-${'a'.repeat(64)}`,
      `DELETE /images/127.0.0.1:15050/shop-1@${image.digest}`,
    ]);
  });

  it('cannot come to another engine that is not reached by ssh, which is said before anything is pulled', async () => {
    await expect(ensure(onThisEngine, [])).rejects.toMatchObject({
      message: expect.stringMatching(/^dev-1: cannot pull from the embedded registry of this computer: /),
      hint: expect.stringContaining('lockage releases push --to REPOSITORY'),
    });
  });

  it('comes from the repository that is configured by now, under the name that is recorded', async () => {
    expect(await ensure({ repository: 'r.example.com/shop' }, [])).toEqual([
      `POST /images/create?fromImage=r.example.com/shop&tag=${image.digest}`,
      `POST /images/r.example.com/shop@${image.digest}/tag?repo=${embedded.repository}&tag=sha256-${'a'.repeat(64)}`,
    ]);
  });

  it('is not pulled where the host has it by either name', async () => {
    expect(await ensure({ repository: 'r.example.com/shop' }, [named])).toEqual([]);
    expect(await ensure({ repository: 'r.example.com/shop' }, [`r.example.com/shop@${image.digest}`])).toEqual([
      `POST /images/r.example.com/shop@${image.digest}/tag?repo=${embedded.repository}&tag=sha256-${'a'.repeat(64)}`,
    ]);
  });
});

it('removes images that nothing needs any more, and none that only another app knows', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lockage-images-'));
  const named = (digit: string) => `r.example.com/shop@sha256:${digit.repeat(64)}`;
  const gone: string[] = [];
  const server = createServer(({ method, url = '' }, response) => {
    if (method === 'DELETE') gone.push(decodeURIComponent(url.replace(/^.*\/images\//, '')));
    const isOwn = url.includes(encodeURIComponent('"r.example.com/shop"'));
    const images = isOwn ? [{ RepoDigests: ['a', 'b'].map(named), RepoTags: null }] : [];
    response.end(JSON.stringify(url === '/version' ? { ApiVersion: '1.41', Version: '20.10.24' } : images));
  });
  const socketPath = join(folder, 'docker.sock');
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  const engine = new Engine({ host: 'prod-1', socketPath });
  try {
    await removeUnusedImages(engine, 'r.example.com/shop', new Set([`sha256:${'a'.repeat(64)}`]));
  } finally {
    engine.close();
    server.close();
    await rm(folder, { recursive: true, force: true });
  }
  expect(gone).toEqual([named('a')]);
});
