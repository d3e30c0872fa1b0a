import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EngineError } from '../../../infra/docker/api/errors.ts';
import { overSshError, removeUnusedImages } from '../../../infra/hosts/images.ts';
import { Engine } from '../../../infra/docker/api/client.ts';
import { LockageError } from '../../../pipelines/errors.ts';

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
