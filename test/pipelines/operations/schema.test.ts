import { describe, expect, test } from 'vitest';
import { LockageError, RolledBackError } from '../../../pipelines/errors.ts';
import { why } from '../../../pipelines/operations/why.ts';
import { accessory, release } from '../model/values.ts';
import type { MemoryWorld } from './memory-world.ts';
import { errorOf, everywhere, onHosts, worldOf } from './situations.ts';

const declared = {
  '1.0.0': { schema: 1 },
  '2.0.0': { schema: 2, compatible: 1 },
  '3.0.0': { schema: 3 },
} as const;

/** Three releases: the second leaves a way back to the first, the third leaves none. */
async function withSchemas(...versions: readonly (keyof typeof declared)[]): Promise<MemoryWorld> {
  const migration = { command: ['migrate'], timeout: 1000, secrets: [], env: {}, dump: ['db'], keep: 2 };
  const world = await worldOf(onHosts({ migration, accessories: [accessory('db')], standby: 2 }));
  world.releases = Object.entries(declared).map(([version, schema]) => ({ ...release(version), ...schema }));
  for (const version of versions) await world.perform('promote', { version, environment: 'prod' });
  return world;
}

const back = { environment: 'prod', startedAt: 0 };
const said = (error: unknown) =>
  error instanceof LockageError ? [error.message, ...error.details, error.hint].join(' | ') : 'no error';

describe('the schema of data', () => {
  test('lets a rollback over a compatible step be as fast as any', async () => {
    const world = await withSchemas('1.0.0', '2.0.0');
    const { outcome, trafficBack } = await world.perform('rollback', back);
    expect([outcome, trafficBack !== undefined, world.place().serves()]).toEqual([
      ...['rolled back', true, everywhere('1.0.0')],
    ]);
  });

  test('refuses a rollback over a step that is not, with the dump and the forward fix as ways out', async () => {
    const world = await withSchemas('2.0.0', '3.0.0');
    for (const name of ['rollback', 'drill'] as const) {
      const error = await errorOf(world, name, back);
      expect(said(error)).toMatch(/^prod cannot go back to 2\.0\.0: its code does not run with the data of today \| /);
      expect(said(error)).toContain('promote a release of schema 3 or later');
      expect(said(error)).toContain('`lockage accessory restore prod db .lockage/dumps/prod/db-r2-before-3.0.0.dump`');
      expect([error instanceof RolledBackError, world.changes]).toEqual([false, []]);
    }
    expect(world.place().serves()).toEqual(everywhere('3.0.0'));
  });

  test('allows it once the dump was taken in, and migrates once more when the release comes again', async () => {
    const world = await withSchemas('2.0.0', '3.0.0');
    const [dump] = world.place().record.ledger.dumps ?? [];
    const file = `/shop/${dump?.file}`;
    await world.perform('restoreAccessory', { environment: 'prod', accessory: 'db', file });
    expect(world.notes).toContain('the data of prod are of schema 2 again');
    await world.perform('rollback', back);
    expect(world.place().serves()).toEqual(everywhere('2.0.0'));
    await world.perform('resume', { environment: 'prod' });
    await world.perform('promote', { version: '3.0.0', environment: 'prod' });
    expect(world.plans.at(-1)?.migration).toBe(true);
    expect(said(await errorOf(world, 'rollback', back))).toContain('since 3.0.0');
  });

  test('a dump that was copied elsewhere is known when it is restored, and the schema of the data is taken back', async () => {
    const world = await withSchemas('2.0.0', '3.0.0');
    const [dump] = world.place().record.ledger.dumps ?? [];
    const file = '/home/ben/from-anna.sql';
    world.files.set(file, world.files.get(dump?.file ?? '') ?? '');
    await world.perform('restoreAccessory', { environment: 'prod', accessory: 'db', file });
    expect(world.notes).toContain('the data of prod are of schema 2 again');
    await world.perform('rollback', back);
    expect(world.place().serves()).toEqual(everywhere('2.0.0'));
  });

  test('a file with the name of a dump and other contents is none, which is said', async () => {
    const world = await withSchemas('2.0.0', '3.0.0');
    const file = '/home/ben/db-r2-before-3.0.0.dump';
    world.files.set(file, 'something else');
    await world.perform('restoreAccessory', { environment: 'prod', accessory: 'db', file });
    expect(world.notes).toContainEqual(
      expect.stringMatching(
        /^\/home\/ben\/\S+ has the name of \.lockage\S+, and other contents: nobody knows of which schema/,
      ),
    );
    expect(said(await errorOf(world, 'rollback', back))).toContain('cannot go back to 2.0.0');
  });

  test('a reason forces it, and is recorded', async () => {
    const world = await withSchemas('2.0.0', '3.0.0');
    await world.perform('rollback', { ...back, forceSchema: 'the new column has a default' });
    expect(world.place().record.ledger.revisions.at(-1)).toMatchObject({
      ...{ kind: 'rollback', forcedSchema: 'the new column has a default' },
    });
    // The data are as they were: to promote what is older than they are is refused as before.
    await world.perform('resume', { environment: 'prod' });
    expect(said(await errorOf(world, 'promote', { version: '1.0.0', environment: 'prod' }))).toContain(
      'schema 3 since',
    );
  });

  test('is a gate before an older release, also where the newer one failed after its migration', async () => {
    const world = await withSchemas('1.0.0');
    world.fail('stacks.deploy made', new RolledBackError('prod-1: web was not healthy'));
    expect(await errorOf(world, 'promote', { version: '3.0.0', environment: 'prod' })).toBeInstanceOf(RolledBackError);
    world.calm();
    const gatesOf = async (version: string) => (await why(world.context(), { version, environment: 'prod' })).gates;
    expect((await gatesOf('2.0.0')).filter(({ met }) => !met)).toMatchObject([
      { gate: 'schema', text: expect.stringContaining('of schema 3 since 3.0.0') },
    ]);
    expect((await gatesOf('3.0.0')).filter(({ met }) => !met)).toEqual([]);
    await world.perform('promote', { version: '2.0.0', environment: 'prod', forceSchema: 'nothing reads it' });
    expect(world.place().serves()).toEqual(everywhere('2.0.0'));
  });

  test('a plan says that there will be no way back, and what is dumped', async () => {
    const world = await withSchemas('2.0.0');
    await world.perform('promote', { version: '3.0.0', environment: 'prod', planOnly: true });
    expect(world.plans.at(-1)?.notes).toEqual([
      'there is no way back to 2.0.0: its code (schema 2) does not run with schema 3, which needs 3',
      'before its migration, a dump is taken of db',
    ]);
    expect(world.calls).not.toContain('dumps.take');
  });

  test('keeps as many dumps as are configured', async () => {
    const world = await withSchemas('1.0.0', '2.0.0', '3.0.0');
    world.releases = [...world.releases, { ...release('4.0.0'), schema: 4 }];
    await world.perform('promote', { version: '4.0.0', environment: 'prod' });
    expect(world.place().record.ledger.dumps?.map(({ version }) => version)).toEqual(['3.0.0', '4.0.0']);
  });

  describe('after a migration that did not end', () => {
    const promote = (world: MemoryWorld, version: string) =>
      errorOf(world, 'promote', { version, environment: 'prod' });
    const dumpsIn = (world: MemoryWorld) =>
      world.place().record.ledger.dumps?.map(({ file, doubtful }) => `${file}${doubtful ? ' doubtful' : ''}`);
    const file = (name: string) => `.lockage/dumps/prod/db-${name}.dump`;
    const fails = (world: MemoryWorld) => world.fail('stacks.deploy claimed', new RolledBackError('migration failed'));

    test('the dump from before it stays however often it is tried again, and is the way back', async () => {
      const world = await withSchemas('2.0.0');
      for (const _ of [1, 2, 3]) {
        fails(world);
        expect(await promote(world, '3.0.0')).toBeInstanceOf(RolledBackError);
        world.calm();
      }
      expect(await promote(world, '3.0.0')).toBeUndefined();
      expect(world.notes).toContainEqual(expect.stringContaining(`${file('r2-before-3.0.0')} is from before it`));
      expect(dumpsIn(world)).toEqual([file('r2-before-3.0.0'), `${file('r5-before-3.0.0')} doubtful`]);
      expect(said(await errorOf(world, 'rollback', back))).toContain(`restore prod db ${file('r2-before-3.0.0')}\``);
    });

    test('so it does where the operator was killed in it', async () => {
      const world = await withSchemas('2.0.0');
      world.at('stacks.deploy claimed', () => world.kill());
      await promote(world, '3.0.0');
      world.calm();
      expect(await promote(world, '3.0.0')).toBeUndefined();
      expect(dumpsIn(world)).toEqual([file('r2-before-3.0.0'), `${file('r3-before-3.0.0')} doubtful`]);
    });

    test('a dump is certain again once that one was taken in', async () => {
      const world = await withSchemas('2.0.0');
      fails(world);
      await promote(world, '3.0.0');
      world.calm();
      const request = { environment: 'prod', accessory: 'db', file: `/shop/${file('r2-before-3.0.0')}` };
      await world.perform('restoreAccessory', request);
      expect(await promote(world, '3.0.0')).toBeUndefined();
      expect(dumpsIn(world)).toEqual([file('r2-before-3.0.0'), file('r4-before-3.0.0')]);
    });

    test('or where it had ended well, and only its release failed', async () => {
      const world = await withSchemas('1.0.0');
      world.fail('stacks.deploy made', new RolledBackError('prod-1: web was not healthy'));
      await promote(world, '2.0.0');
      world.calm();
      expect(await promote(world, '3.0.0')).toBeUndefined();
      expect(dumpsIn(world)).toEqual([file('r2-before-2.0.0'), file('r3-before-3.0.0')]);
    });
  });

  test('a dump that fails refuses the promotion, and nothing was changed', async () => {
    const world = await withSchemas('1.0.0');
    world.fail('dumps.take', new LockageError('prod-1: the disk is full'));
    expect(said(await errorOf(world, 'promote', { version: '2.0.0', environment: 'prod' }))).toContain('disk is full');
    expect([world.changes, world.place().serves()]).toEqual([[], everywhere('1.0.0')]);
  });

  test('of releases that declare none is never asked for', async () => {
    const world = await worldOf(onHosts(), '2.0.0', '1.0.0');
    await world.perform('rollback', back);
    expect(world.place().serves()).toEqual(everywhere('2.0.0'));
  });

  test.each([
    [{ schema: 2, compatible: 3 }, 'compatible is 3, which is later than the schema that is declared, 2'],
    [{ compatible: 1 }, 'compatible is 1, and no schema is declared'],
  ])('that a release declares wrongly is refused: %j', async (declares, message) => {
    const world = await worldOf(onHosts());
    expect((await errorOf(world, 'release', { version: '9.0.0', ...declares }))?.message).toBe(message);
    await world.perform('release', { version: '9.0.0', schema: 4, compatible: 2 });
    expect(world.releases.at(-1)).toMatchObject({ version: '9.0.0', schema: 4, compatible: 2 });
  });
});
