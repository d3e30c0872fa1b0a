import { describe, expect, test } from 'vitest';
import { bakedOf, bakeFingerprint, bakeTag, type BakeInputs } from '../../../pipelines/databases/baked.ts';
import { copiesToStart } from '../../../pipelines/databases/pool.ts';

const migration = { image: 'shop@sha256:1', command: ['node', 'migrate.mjs'], env: {}, secrets: ['PASSWORD'] };
const inputs: BakeInputs = {
  kind: 'postgres',
  image: 'postgres@sha256:1',
  platform: 'linux/amd64',
  command: [],
  env: { POSTGRES_USER: 'shop' },
  secrets: ['PASSWORD'],
  migration,
  seed: { sha256: 'a' },
};

describe('a baked image', () => {
  test('is the same for the same inputs, whatever their order', () => {
    const { seed, ...rest } = inputs;
    expect(bakeFingerprint({ seed: seed ?? { sha256: '' }, ...rest })).toBe(bakeFingerprint(inputs));
    expect(bakeFingerprint(inputs)).toMatch(/^[0-9a-f]{32}$/);
  });

  test.each<[string, Partial<BakeInputs>]>([
    ['image', { image: 'postgres@sha256:2' }],
    ['platform', { platform: 'linux/arm64' }],
    ['release', { migration: { ...migration, image: 'shop@sha256:2' } }],
    ['migration', { migration: { ...migration, command: ['node', 'other.mjs'] } }],
    ['seed', { seed: { sha256: 'b' } }],
    ['settings', { command: ['-c', 'work_mem=8MB'] }],
    ['account', { env: { POSTGRES_USER: 'other' } }],
  ])('is another one with another %s', (_, change) => {
    expect(bakeFingerprint({ ...inputs, ...change })).not.toBe(bakeFingerprint(inputs));
  });

  test('has a tag that is no version, and as short as tags may be', () => {
    const tag = bakeTag('a'.repeat(40), bakeFingerprint(inputs));
    expect(tag).toMatch(/^db-[\w.-]+$/);
    expect(tag.length).toBeLessThan(128);
  });

  test.each([
    ['1.4.0', { file: 'seed.sql' }, 'the migration of 1.4.0 and the seed seed.sql'],
    [undefined, { command: ['node', 'seed.mjs'] }, 'the seed `node seed.mjs`'],
    [undefined, undefined, 'nothing: no migration, no seed'],
  ])('of %s and %j is %s', (version, seed, text) => expect(bakedOf(version, seed)).toBe(text));
});

describe('a pool', () => {
  const idle = { ready: 0, starting: 0, taken: 0, waiting: 0, size: 4, atOnce: 2 };
  const renewing = { ...idle, taken: 6, most: 6 };
  test.each([
    ['begins with as many as it may make at a time', idle, 2],
    ['begins no more while those are made', { ...idle, starting: 2 }, 0],
    ['makes one for each that was taken', { ...idle, ready: 3 }, 1],
    ['is full', { ...idle, ready: 4 }, 0],
    ['without a size makes them for who waits alone', { ...idle, size: 0, waiting: 1 }, 1],
    ['without a size makes none by itself', { ...idle, size: 0 }, 0],
    ['has more than it needs', { ...idle, ready: 9 }, 0],
    [
      'waits for those that come back, where they are used again',
      { ...renewing, starting: 1, taken: 5, waiting: 2 },
      0,
    ],
    ['has more than that for who waits while nothing comes', { ...renewing, waiting: 2 }, 1],
    ['begins no spare one beyond it', renewing, 0],
  ])('%s', (_, state, count) => expect(copiesToStart(state)).toBe(count));
});
