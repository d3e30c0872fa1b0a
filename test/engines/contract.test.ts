import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createLab } from '../../scripts/lab/lab.ts';
import { engineContract } from '../support/engine-contract.ts';
import { labsWork } from '../support/pipeline-fixture.ts';

if (labsWork) {
  const base = await mkdtemp('/tmp/lc-');
  const name = `c${base.slice(-6).toLowerCase()}`;
  const environments = { one: { hosts: 1, reach: 'unix', engine: '29' } } as const;
  const lab = await createLab({ name, environments, dataDir: join(base, 'lab') });
  // The fixture reads it once, when it is loaded, as it is by others already.
  vi.resetModules();
  process.env['LOCKAGE_TEST_ENGINE'] = lab.host('one-1').dockerHost.replace('unix://', '');
  const { docker, freePort, importShellImage, openEngine, testPrefix } = await import('../support/engine-fixture.ts');
  const prefix = testPrefix();
  const image = `${prefix}:1`;
  const engine = openEngine();

  beforeAll(() => importShellImage(image, prefix), 60_000);
  afterAll(async () => {
    engine.close();
    await lab.remove();
    await rm(base, { recursive: true, force: true });
  });

  test('the engine is that of the lab', async () => {
    expect((await engine.info()).ServerVersion).toMatch(/^29\./);
  });

  /** The sentences of test/real/engine-contract.test.ts, which are about the machine's own engine there. */
  describe('Docker Engine 29', () => {
    engineContract({
      ...{ engine, image, prefix, port: freePort },
      pause: (container, isPaused) => docker(isPaused ? 'pause' : 'unpause', container),
    });
  });
}
