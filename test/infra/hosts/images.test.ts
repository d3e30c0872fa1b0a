import { describe, expect, it } from 'vitest';
import { EngineError } from '../../../infra/docker/api/errors.ts';
import { overSshError } from '../../../infra/hosts/images.ts';
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
