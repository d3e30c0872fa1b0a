import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Referrers } from '../../infra/registry/referrers.ts';
import type { Digest } from '../../pipelines/model/release.ts';
import { bundleType } from '../../pipelines/model/evidence/bundle.ts';
import { ReferrersRegistry, type ReferrersPlaces } from '../support/referrers-registry.ts';
import { SignedImages } from '../support/signed-images.ts';

const buildTime = 300_000;
const accept = { Accept: 'application/vnd.oci.image.index.v1+json' };
type Place = keyof ReferrersPlaces;

let registry: ReferrersRegistry;
let images: Readonly<Record<Place, SignedImages>>;

// Two registries of others, with the API for what refers to an image: cuelabs' and go-containerregistry's.
beforeAll(async () => {
  registry = await ReferrersRegistry.start();
  const names = Object.keys(registry.at) as Place[];
  const pairs = names.map(async (name) => [name, await SignedImages.at(registry.at[name])] as const);
  images = Object.fromEntries(await Promise.all(pairs)) as Record<Place, SignedImages>;
}, buildTime);

afterAll(async () => {
  await Promise.all(Object.values(images ?? {}).map((each) => each.stop()));
  await registry?.stop();
});

const asked = (place: Place, path: string) =>
  fetch(`http://${registry.at[place]}/v2/team/shop/${path}`, { headers: accept });

async function listed(place: Place, digest: Digest): Promise<number> {
  const answer = await asked(place, `referrers/${digest}`);
  return answer.ok ? ((await answer.json()) as { manifests: unknown[] }).manifests.length : 0;
}

const tagged = async (place: Place, digest: Digest) => (await asked(place, `manifests/${digest.replace(':', '-')}`)).ok;

describe('what refers to an image, in a registry with an API for it', () => {
  test.each(['new', 'other', 'paged'] as const)('is found by it, and no tag is made (%s)', async (place) => {
    const [one, two] = [await images[place].image(`one ${place}`), await images[place].image(`two ${place}`)];
    expect(await images[place].found(one)).toEqual([]);
    for (const text of ['a', 'b', 'a']) await images[place].attach(one, text);
    await images[place].attach(two, 'c');
    expect((await images[place].found(one)).toSorted()).toEqual(['a', 'b']);
    expect(await images[place].found(two)).toEqual(['c']);
    expect([await tagged(place, one), await listed(place, one)]).toEqual([false, 2]);
  });

  test('is found on all pages of a list', async () => {
    const digest = await images.paged.image('pages');
    const texts = ['a', 'b', 'c', 'd', 'e'];
    for (const text of texts) await images.paged.attach(digest, text);
    expect(await listed('paged', digest)).toBe(2);
    expect((await images.paged.found(digest)).toSorted()).toEqual(texts);
  });

  test.each(['new', 'paged', 'other'] as const)(
    'is of the type that is asked for, whoever filters (%s)',
    async (place) => {
      const digest = await images[place].image(`types ${place}`);
      const referrers = new Referrers();
      const other = { artifactType: 'application/spdx+json', annotations: {} };
      for (const text of ['x', 'y', 'z']) {
        await referrers.attach(images[place].repository, digest, { ...other, content: Buffer.from(text) });
      }
      await images[place].attach(digest, 'own');
      expect(await listed(place, digest)).toBe(place === 'paged' ? 2 : 4);
      expect(await images[place].found(digest)).toEqual(['own']);
      expect(await referrers.contents(images[place].repository, digest, bundleType)).toHaveLength(1);
    },
  );

  test.each(['new', 'paged', 'late'] as const)(
    'that came before the API is found, too, each once (%s)',
    async (place) => {
      const digest = await images.old.image(`before ${place}`);
      for (const text of ['a', 'b', 'c']) await images.old.attach(digest, text);
      expect([await tagged('old', digest), await listed('old', digest)]).toEqual([true, 0]);
      // From here on the registry has the API; one that is late lists only what is pushed from now on.
      await images[place].attach(digest, 'd');
      expect(await listed(place, digest)).toBe({ new: 4, paged: 2, late: 1 }[place]);
      expect((await images[place].found(digest)).toSorted()).toEqual(['a', 'b', 'c', 'd']);
    },
  );
});
