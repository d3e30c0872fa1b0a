import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { baseImages } from '../../scripts/setup/images/base-images.ts';
import { Desk } from '../support/desk.ts';
import { docker } from '../support/engine-fixture.ts';
import { labsWork, setupTime } from '../support/pipeline-fixture.ts';

const timeout = 120_000;

// It has the layers of its base image from an archive, not compressed. A pull leaves out what is unpacked, so there is nothing to push.
describe.runIf(labsWork)('an operator’s Docker Engine 29 that has its base image only unpacked', () => {
  let desk: Desk;
  let shop: string;

  beforeAll(async () => {
    desk = await Desk.open({}, { engine: '29' });
    shop = await desk.folder('shop');
    const archive = join(shop, '../base.tar');
    await docker('save', '--output', archive, baseImages.registry, baseImages.edge);
    await desk.docker('load', '--quiet', '--input', archive);
  }, setupTime);

  afterAll(async () => desk?.remove(), timeout);

  test('is told what helps, and it helps', { timeout }, async () => {
    expect((await desk.run(shop, ['init'])).code).toBe(0);
    const refused = await desk.run(shop, ['release', '0.1.0', '--json']);
    expect([refused.code, refused.json.error.message], refused.stderr).toEqual([
      2,
      'cannot push the image: docker ended with exit code 1',
    ]);
    expect(refused.json.error.hint).toMatch(/only unpacked.*`docker image rm` and `docker image prune`/);
    expect((await desk.succeed(shop, 'releases')).releases).toEqual([]);

    const images = (await desk.docker('images', '--format', '{{.Repository}}:{{.Tag}}')).trim().split('\n');
    await desk.docker('image', 'rm', ...images.filter((name) => !name.startsWith(baseImages.registry)));
    await desk.docker('image', 'prune', '--force');
    const { release } = await desk.succeed(shop, 'release', '0.1.0');
    expect(release.digest).toMatch(/^sha256:/);
  });
});
