import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Digest } from '../../pipelines/model/release.ts';
import { SignedImages } from '../support/signed-images.ts';

let images: SignedImages;

beforeAll(async () => {
  images = await SignedImages.start();
});
afterAll(() => images?.stop());

const image = (label: string) => images.image(label);
const attach = (digest: Digest, text: string) => images.attach(digest, text);
const found = (digest: Digest) => images.found(digest);

describe('what refers to an image, in a registry without an API for it', () => {
  test('is found again, each once, and of no other image', async () => {
    const [one, two] = [await image('one'), await image('two')];
    expect(await found(one)).toEqual([]);
    for (const text of ['a', 'b', 'a']) await attach(one, text);
    await attach(two, 'c');
    expect(await found(one)).toEqual(['a', 'b']);
    expect(await found(two)).toEqual(['c']);
  });

  test('is found of many who add to it at the same time', async () => {
    const digest = await image('many');
    await Promise.all(['a', 'b', 'c'].map((text) => attach(digest, text)));
    for (const text of ['a', 'b', 'c']) await attach(digest, text);
    expect((await found(digest)).toSorted()).toEqual(['a', 'b', 'c']);
  });

  test('is passed over where it is gone, of another type, or of another image', async () => {
    const [one, two] = [await image('whole'), await image('other')];
    await attach(two, 'theirs');
    const tag = (digest: Digest) => `http://${images.address}/v2/team/shop/manifests/${digest.replace(':', '-')}`;
    const headers = {
      Accept: 'application/vnd.oci.image.index.v1+json',
      'Content-Type': 'application/vnd.oci.image.index.v1+json',
    };
    const theirs = await (await fetch(tag(two), { headers })).text();
    expect((await fetch(tag(one), { method: 'PUT', body: theirs, headers })).status).toBe(201);
    expect(await found(one)).toEqual([]);
    const [manifest]: { digest: string }[] = JSON.parse(theirs).manifests;
    await attach(one, 'own');
    expect(await found(one)).toEqual(['own']);
    const own = `http://${images.address}/v2/team/shop/manifests/${manifest?.digest}`;
    expect((await fetch(own, { method: 'DELETE' })).status).toBe(202);
    expect(await found(two)).toEqual([]);
    await attach(one, 'another');
    expect(await found(one)).toEqual(['own', 'another']);
  });

  test('can be of no image that is not there', async () => {
    await expect(attach(`sha256:${'0'.repeat(64)}`, 'a')).rejects.toThrow(images.address);
  });
});
