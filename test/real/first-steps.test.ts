import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { baseImages } from '../../scripts/setup/images/base-images.ts';
import { Desk } from '../support/desk.ts';
import { docker } from '../support/engine-fixture.ts';
import { labsWork, setupTime } from '../support/pipeline-fixture.ts';

// What somebody does who has a Dockerfile, and an engine that set-up worked on: no registry, no network, no git.
describe.runIf(labsWork)('from a folder with a Dockerfile to a service', () => {
  let desk: Desk;
  let shop: string;

  beforeAll(async () => {
    desk = await Desk.open({});
    shop = await desk.folder('shop');
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
    expect(edge).toMatch(/^embedded\.lockage\.internal\/lockage-edge:sha256-[0-9a-f]{64}$/);
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
