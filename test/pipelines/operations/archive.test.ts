import { describe, expect, test } from 'vitest';
import { BrokenError, LockageError, LockedError, RecordChangedError } from '../../../pipelines/errors.ts';
import { historyOf, releaseStatuses } from '../../../pipelines/inspection/history.ts';
import { currentRevision, rollbackCandidates } from '../../../pipelines/model/ledger.ts';
import { environment, host, release, role } from '../model/values.ts';
import { KilledError, MemoryWorld } from './memory-world.ts';
import { errorOf, everywhere, onHosts, onMachines, worldOf } from './situations.ts';

const request = { environment: 'prod', withData: false };
const file = '.lockage/archive/prod-r2.lockage';

const archived = async (world: MemoryWorld) => world.context().records.environment('prod');

/** Nothing of it is on its hosts, and its record is that of an archive. */
async function expectArchived(world: MemoryWorld): Promise<void> {
  const { archive, ledger, containers } = await archived(world);
  expect(world.place().serves()).toEqual([]);
  expect([world.place().present(), containers]).toEqual([[], []]);
  expect(archive).toMatchObject({ version: '2.0.0', revision: 2, removed: true, actor: 'anna@desk' });
  expect(currentRevision(ledger)).toBeUndefined();
  expect(ledger.revisions.map(({ number }) => number)).toEqual([1, 2]);
}

describe('an environment that is archived', () => {
  test('runs nothing, and its record and a bundle of what it ran stay', async () => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    expect(await world.perform('archive', request)).toMatchObject({
      outcome: 'archived',
      archive: { environment: 'prod', file, version: '2.0.0', revision: 2 },
    });
    await expectArchived(world);
    expect(world.files.get(file)).toBe('revision 2 of prod');
    expect(await world.perform('archive', request)).toMatchObject({ outcome: 'archived already', archive: { file } });
    expect(world.changes).toEqual([]);
  });

  test('is in its file, and in the record, before anything of it goes', async () => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    await world.perform('archive', request);
    const order = ['bundles.write', 'terminal.confirm', 'hosts.lock', 'records.changeArchives', 'removal.destroyStack'];
    expect(world.calls.filter((call) => order.includes(call))).toEqual([...order, order.at(-1), order.at(-2)]);
  });

  test('takes its machines with it', async () => {
    const world = await worldOf(onMachines(), '1.0.0', '2.0.0');
    await world.perform('archive', request);
    await expectArchived(world);
    expect([...world.place().machines]).toEqual([]);
  });

  test('names the data that stay, and takes them when it is told to', async () => {
    const [kept, gone] = [await worldOf(onHosts(), '1.0.0'), await worldOf(onHosts(), '1.0.0')];
    for (const world of [kept, gone]) world.place().nameless.set('prod-1', 'data');
    expect(await kept.perform('archive', request)).toMatchObject({ kept: [{ host: 'prod-1', volume: 'data' }] });
    expect(await gone.perform('archive', { ...request, withData: true })).toMatchObject({ kept: [] });
  });

  test('has its history, and releases say that they ran there', async () => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    await world.perform('archive', request);
    const record = await archived(world);
    const { revisions } = historyOf('prod', { record, blocks: [] }, { limit: 20 });
    expect(revisions.map(({ number, current, ended }) => [number, current, ended !== undefined])).toEqual([
      [2, false, true],
      [1, false, false],
    ]);
    const statuses = releaseStatuses({ releases: world.releases, blocks: [] }, [['prod', record]]);
    expect(statuses.map(({ version, runs, ran }) => [version, runs, ran])).toEqual([
      ['3.0.0', [], []],
      ['2.0.0', [], ['prod']],
      ['1.0.0', [], ['prod']],
    ]);
  });

  test('keeps no image in the registry, as its file has what it ran', async () => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    await world.perform('archive', request);
    const later = Array.from({ length: 10 }, (_, index) => release(`4.0.${index}`));
    world.releases = [...world.releases, ...later];
    world.registry = world.releases.map(({ digest, repository }) => ({ digest, repository, bytes: 10 }));
    // Its hosts may be gone by now.
    world.place().silent.add('prod-1');
    const { things, failed } = await world.perform('prune', {});
    expect(failed).toEqual([]);
    expect(things.filter(({ kept }) => !kept).map(({ name, reason }) => [name, reason])).toEqual([
      ['1.0.0', 'it ran well only in prod before that was archived, and the last 10 of that kind are kept'],
      ['2.0.0', 'it ran well only in prod before that was archived, and the last 10 of that kind are kept'],
      ['3.0.0', 'it ran well nowhere, and the last 10 of that kind are kept'],
    ]);
  });

  test('counts for what comes after it: a release ran well there, and as long as it did', async () => {
    const loadTest = environment({ name: 'load-test', hosts: [host('l-1')], roles: [role({ hosts: ['l-1'] })] });
    const hour = 3_600_000;
    const world = new MemoryWorld([loadTest, onHosts({ after: ['load-test'], soak: 2 * hour })]);
    world.releases = ['1.0.0', '2.0.0'].map((version) => release(version));
    await world.perform('promote', { environment: 'load-test', version: '1.0.0' });
    world.pass(hour);
    await world.perform('archive', { environment: 'load-test', withData: false });
    world.pass(5 * hour);
    const early = await errorOf(world, 'promote', { environment: 'prod', version: '1.0.0' });
    expect(early).toMatchObject({
      details: [expect.stringMatching(/^1\.0\.0 has served 1 h( \d+ s)? in load-test, and 2 h/)],
    });
    const never = await errorOf(world, 'promote', { environment: 'prod', version: '2.0.0' });
    expect(never).toMatchObject({
      details: expect.arrayContaining(['2.0.0 has not run well in load-test, which is archived']),
    });
    await world.perform('promote', { environment: 'load-test', version: '1.0.0' });
    world.pass(2 * hour);
    await world.perform('archive', { environment: 'load-test', withData: false });
    await world.perform('promote', { environment: 'prod', version: '1.0.0' });
    expect(world.place().serves()).toEqual(everywhere('1.0.0'));
  });
});

describe('an archived environment that is promoted to again', () => {
  test('is one as before: numbers go on, and nothing of before can be gone back to', async () => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    await world.perform('archive', request);
    await world.perform('promote', { environment: 'prod', version: '3.0.0' });
    expect(world.place().serves()).toEqual(everywhere('3.0.0'));
    const { archive, ledger } = await archived(world);
    expect([archive, currentRevision(ledger)?.number, rollbackCandidates(ledger)]).toEqual([undefined, 3, []]);
    expect(await errorOf(world, 'rollback', { environment: 'prod', startedAt: 0, to: '2.0.0' })).toMatchObject({
      message: 'prod has no good revision 2.0.0',
    });
    await world.perform('archive', request);
    expect((await archived(world)).archive).toMatchObject({ revision: 3, removed: true });
  });

  test('may fail there, and is archived once more with the file that it has', async () => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    await world.perform('archive', request);
    world.fail('stacks.deploy made', new BrokenError('Pulumi could not change prod'));
    await errorOf(world, 'promote', { environment: 'prod', version: '3.0.0' });
    world.calm();
    expect((await archived(world)).ledger.revisions.map(({ result }) => result)).toEqual([
      ...['succeeded', 'succeeded'],
      'failed',
    ]);
    expect(await world.perform('archive', request)).toMatchObject({ outcome: 'archived', archive: { revision: 2 } });
    const { archive, ledger } = await archived(world);
    expect([archive?.removed, ledger.revisions.length]).toEqual([true, 3]);
  });

  test('is forgotten when it is destroyed', async () => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    await world.perform('archive', request);
    await world.perform('destroy', request);
    expect(world.notes).toEqual([`prod was archived: its revisions are forgotten, and ${file} stays`]);
    expect(await archived(world)).toMatchObject({ ledger: { revisions: [] } });
    expect(await world.perform('destroy', request)).toMatchObject({ outcome: 'nothing to do' });
  });
});

describe('nothing is removed', () => {
  const refused: [string, (world: MemoryWorld) => unknown, RegExp][] = [
    ['where its file cannot be written', (w) => w.fail('bundles.write', new LockageError('disk is full')), /disk/],
    ['where a person says no', (w) => w.fail('terminal.confirm', new LockageError('not confirmed')), /not confirmed/],
    ['where somebody else has it', (w) => w.fail('hosts.lock', new LockedError('locked by bert')), /locked by bert/],
    [
      'where it is another one by then',
      (w) => w.at('hosts.lock', () => w.place().restore({ ...w.place().record, basis: 'other' })),
      /was changed by somebody else meanwhile: nothing was done/,
    ],
    [
      'where that cannot be recorded',
      (w) => w.fail('records.changeArchives', new LockageError('the backend does not answer')),
      /backend/,
    ],
  ];

  test.each(refused)('%s', async (_name, prepare, message) => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    prepare(world);
    const error = await errorOf(world, 'archive', request);
    expect([error?.message, error instanceof BrokenError]).toEqual([expect.stringMatching(message), false]);
    expect(world.place().serves()).toEqual(everywhere('2.0.0'));
    expect(world.archives).toEqual([]);
  });

  test('of what runs nothing, is on hold, or is a reproduction', async () => {
    const empty = await worldOf(onHosts());
    expect(await errorOf(empty, 'archive', request)).toMatchObject({
      message: 'prod runs nothing that could be archived',
    });
    const held = await worldOf(onHosts(), '1.0.0', '2.0.0');
    await held.perform('rollback', { environment: 'prod', startedAt: 0 });
    expect(await errorOf(held, 'archive', request)).toMatchObject({
      hint: 'Run `lockage resume prod` once it is.',
    });
    const reproduces = { environment: 'prod', revision: 2 } as never;
    const reproduced = await worldOf(onHosts({ reproduces }), '1.0.0');
    expect(await errorOf(reproduced, 'archive', request)).toMatchObject({
      message: 'prod is a reproduction, which is recorded nowhere else',
    });
  });
});

describe('an archiving that was killed', () => {
  const kinds = { hosts: onHosts, machines: onMachines };

  test.each(Object.entries(kinds))('ends well with the same command, wherever that was: on %s', async (_kind, made) => {
    const start = await worldOf(made(), '1.0.0', '2.0.0');
    const good = start.copy();
    await good.perform('archive', request);
    for (const nth of good.moments.keys()) {
      const world = start.copy();
      world.atMoment(nth + 1, () => world.kill());
      expect(await errorOf(world, 'archive', request)).toBeInstanceOf(KilledError);
      world.calm();
      // Until it is recorded, it serves.
      if (world.archives.length === 0) expect(world.place().serves()).toEqual(everywhere('2.0.0'));
      else expect(world.files.size).toBe(1);
      await world.perform('archive', request);
      await expectArchived(world);
    }
  });

  test('goes on only where its file is there still, or a copy of it', async () => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    world.at('removal.destroyStack', () => world.kill(), 2);
    await errorOf(world, 'archive', request);
    world.calm();
    world.files.clear();
    expect(await errorOf(world, 'archive', request)).toMatchObject({
      message: `${file} is no bundle: there is no such file`,
    });
    expect(world.changes).toEqual([]);
    world.files.set('/backup/prod.lockage', '');
    await world.perform('archive', { ...request, file: '/backup/prod.lockage' });
    await expectArchived(world);
    expect(world.archives).toMatchObject([{ file: '/backup/prod.lockage' }]);
  });

  test('is not gone on with where somebody has just promoted to it again', async () => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    world.at('removal.destroyStack', () => world.kill(), 2);
    await errorOf(world, 'archive', request);
    world.calm();
    const other = world.copy();
    await other.perform('promote', { environment: 'prod', version: '3.0.0' });
    world.at('bundles.check', () => world.place().become(other.place()));
    expect(await errorOf(world, 'archive', request)).toBeInstanceOf(RecordChangedError);
    expect(world.place().serves()).toEqual(everywhere('3.0.0'));
  });

  test('may be left at that: it is promoted to again', async () => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    world.at('removal.destroyStack', () => world.kill(), 2);
    await errorOf(world, 'archive', request);
    world.calm();
    await world.perform('promote', { environment: 'prod', version: '2.0.0' });
    expect(world.place().serves()).toEqual(everywhere('2.0.0'));
    expect((await archived(world)).archive).toBeUndefined();
  });
});
