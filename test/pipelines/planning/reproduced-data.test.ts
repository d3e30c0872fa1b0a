import { expect, test } from 'vitest';
import type { Accessory } from '../../../pipelines/model/environment.ts';
import type { RecordedRevision } from '../../../pipelines/model/recorded-revision.ts';
import type { Reproduction, ReproductionData } from '../../../pipelines/model/reproduction.ts';
import { chosenData, dataWishes, withData } from '../../../pipelines/planning/reproduced-data.ts';
import { refusal } from '../model/values.ts';

const db: Accessory = {
  ...{ name: 'db', image: 'postgres@sha256:1', host: 'here', memory: 512, secrets: ['PASSWORD'] },
  ...{ env: { PGDATA: '/data/pg', LANG: 'C' }, volumes: { data: '/data' } },
};
const withAccessories = (...accessories: Accessory[]) =>
  ({ environment: 'prod', accessories }) as unknown as RecordedRevision;
const cache = { ...db, name: 'cache', volumes: {} };
const queue = { ...db, name: 'queue' };

test.each<[string, Accessory[], string[], unknown]>([
  ['of the only accessory with data needs no name', [db, cache], ['shop.dump'], [['db', 'shop.dump']]],
  [
    'is by name where there are several',
    [db, queue],
    ['queue=q.dump', 'db=shop/db:1'],
    [
      ['queue', 'q.dump'],
      ['db', 'shop/db:1'],
    ],
  ],
  ['may be an image by its digest', [db], [`r/db@sha256:${'a'.repeat(64)}`], [['db', `r/db@sha256:${'a'.repeat(64)}`]]],
  ['may be a path with an equals sign', [db], ['./a=b.dump'], [['db', './a=b.dump']]],
])('data %s', (_name, accessories, written, wishes) => {
  const found = dataWishes(withAccessories(...accessories), written);
  expect(found.map(({ accessory, from }) => [accessory, from])).toEqual(wishes);
});

test.each<[string, Accessory[], string[], RegExp]>([
  [
    'without a name where there are several',
    [db, queue],
    ['x.dump'],
    /which accessory of prod\? \| there are db, queue/,
  ],
  ['where no accessory has data', [cache], ['x.dump'], /no accessory of it has data/],
  [
    'of an accessory that is not there',
    [db],
    ['dbb=x.dump'],
    /no accessory dbb with data — did you mean db|did you mean db/,
  ],
  ['of one without data', [db, cache], ['cache=x'], /no accessory cache with data/],
  ['given twice', [db], ['a.dump', 'db=b.dump'], /given twice for db/],
])('data %s are refused', (_name, accessories, written, message) => {
  expect(refusal(() => dataWishes(withAccessories(...accessories), written))).toMatch(message);
});

const baked: ReproductionData = { kind: 'image', image: 'shop-db@sha256:2', at: '/lockage/data', sets: ['PGDATA'] };
const dump: ReproductionData = { kind: 'file', file: '/x.dump', sha256: 'ab' };

test('an image with data takes the place of the accessory’s own, with a volume that it fills, and says itself where they are', () => {
  const made = withData(db, baked);
  expect(made).toEqual({
    ...db,
    image: baked.image,
    env: { LANG: 'C' },
    volumes: { [Object.keys(made.volumes)[0] ?? '']: '/lockage/data' },
  });
  const [[volume] = []] = Object.entries(made.volumes);
  expect(volume).toMatch(/^data-[0-9a-f]{8}$/);
  const other = withData(db, { ...baked, image: 'shop-db@sha256:3' });
  expect(Object.keys(other.volumes)).not.toEqual([volume]);
  const unlabelled = withData(db, { kind: 'image', image: 'x', sets: [] });
  expect([Object.values(unlabelled.volumes), unlabelled.env]).toEqual([['/data'], db.env]);
  expect([withData(db, dump), withData(db, undefined)]).toEqual([db, db]);
});

test('data that are there are replaced by no option', () => {
  const before = { data: { db: { ...dump, isRestored: true } } } as unknown as Reproduction;
  expect(chosenData('here', { db: dump }, undefined)).toEqual({ db: dump });
  expect(chosenData('here', { db: { ...dump, file: '/copy.dump' } }, before)).toEqual(before.data);
  expect(chosenData('here', {}, before)).toEqual(before.data);
  expect(refusal(() => chosenData('here', { db: { ...dump, sha256: 'cd' } }, before))).toMatch(
    /has the data of \/x.dump .* already \| Run `lockage accessory restore here db \/x.dump`/,
  );
  expect(refusal(() => chosenData('here', { db: baked }, {} as Reproduction))).toMatch(/has data of its own already/);
});
