import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { restartingContainers } from '../../../infra/hosts/standing.ts';
import {
  ensureStanding,
  removeStanding,
  standingLabels,
  type StandingContainer,
} from '../../../infra/workloads/foundation/standing-container.ts';
import { LockageError } from '../../../pipelines/errors.ts';
import { hostWith } from '../../pipelines/model/values.ts';
import { contextIn } from '../../support/context-fixture.ts';
import { PretendEngine } from '../../support/pretend-engine.ts';

const place = { app: 'shop', environment: 'prod' };
const name = 'shop-prod-db';
let folder: string;
let engine: PretendEngine;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lockage-standing-'));
  engine = new PretendEngine();
  await engine.listen(join(folder, 'docker.sock'));
});
afterEach(() => {
  engine.close();
  rmSync(folder, { recursive: true, force: true });
});

const host = () => hostWith('prod-1', { url: `unix://${folder}/docker.sock` });

/** A database that works unless its image is called bad. */
function wanted(image: string, labels = true): StandingContainer {
  const made = { host: host(), spec: image, pinned: image, configured: image };
  return {
    ...place,
    host: host(),
    what: 'accessory db',
    name,
    image,
    spec: image,
    grace: 0,
    body: {
      Labels: labels
        ? standingLabels(place, 'accessory', made)
        : { 'lockage.app': 'shop', 'lockage.environment': 'prod' },
      HostConfig: {
        PortBindings: { '5432/tcp': [] },
        Mounts: [{ Type: 'volume', Source: 'data', Target: '/data' }],
      } as never,
    },
    works: async (found) => {
      const state = await found.inspectContainer(name);
      if (!state?.State.Running || state.Config.Image === 'bad') throw new LockageError(`prod-1: ${name} crashes`);
    },
  };
}

const ensure = (image: string) => ensureStanding(contextIn(folder), wanted(image));
const failure = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('a container that stays', () => {
  test('is made, left alone while it is what is wanted, and replaced when it is not', async () => {
    await ensure('one');
    expect(engine.changes).toEqual([`create ${name}`, `start ${name}`]);
    engine.revive();
    await ensure('one');
    expect(engine.changes).toEqual([]);
    await ensure('two');
    expect(engine.changes).toEqual([
      `create ${name}.new`,
      `rename ${name} ${name}.old`,
      `rename ${name}.new ${name}`,
      `stop ${name}.old`,
      `start ${name}`,
      `remove ${name}.old`,
    ]);
    expect(engine.containers()).toEqual([`${name} two running`]);
  });

  test('of before is there again when the next one does not work', async () => {
    await ensure('one');
    expect(await failure(ensure('bad'))).toMatchObject({
      name: 'RolledBackError',
      message: `prod-1: accessory db ${name} was not replaced: ${name} crashes`,
      details: ['prod-1: the accessory db of before is back'],
    });
    expect(engine.containers()).toEqual([`${name} one running`]);
  });

  test('that did not work before either is said to be down', async () => {
    await ensure('one');
    engine.setRunning(name, false);
    expect(await failure(ensure('bad'))).toMatchObject({
      name: 'DownError',
      details: ['prod-1: the accessory db is down, as the one before does not work either: it did not run before'],
    });
    expect(await failure(ensure('one'))).toBeUndefined();
    expect(engine.containers()).toEqual([`${name} one running`]);
  });

  test('leaves nothing when the first one does not work', async () => {
    expect(await failure(ensure('bad'))).toMatchObject({ name: 'DownError' });
    expect(engine.containers()).toEqual([]);
  });

  test('is seen not to stay up while its engine restarts it time after time', async () => {
    await ensure('one');
    const restarting = async () =>
      restartingContainers(await contextIn(folder).engine(host()), [name, 'shop-prod-gone']);
    expect(await restarting()).toEqual([]);
    engine.setRestarts(name, 3, new Date(Date.now() - 2000).toISOString());
    expect(await restarting()).toEqual([name]);
    engine.setRestarts(name, 3, new Date(Date.now() - 60_000).toISOString());
    expect(await restarting()).toEqual([]);
  });

  test('is never a stranger’s', async () => {
    await ensureStanding(contextIn(folder), { ...wanted('one'), body: { Labels: { 'lockage.app': 'other' } } });
    const before = engine.containers();
    expect(await failure(ensure('two'))).toMatchObject({
      message: `prod-1: a container named ${name} exists and is not of shop`,
    });
    await removeStanding(contextIn(folder), { ...place, host: host() }, wanted('two'));
    expect(engine.containers()).toEqual(before);
  });

  test('goes with what a killed command left beside it, and stays when another name of its host has it', async () => {
    await ensure('one');
    engine.loses = 1;
    engine.staysDead = true;
    engine.changes.length = 0;
    await failure(ensure('two'));
    engine.revive();
    expect(engine.containers().length).toBe(2);
    await removeStanding(
      contextIn(folder),
      { ...place, host: hostWith('web-1', { url: `unix://${folder}/docker.sock` }) },
      wanted('one'),
    );
    expect(engine.containers().length).toBe(2);
    await removeStanding(contextIn(folder), { ...place, host: host() }, wanted('one'));
    expect(engine.containers()).toEqual([]);
  });
});

describe.each([
  ['a command that was killed', true],
  ['a lost answer', false],
])('after %s', (_, staysDead) => {
  describe.each([1, 2, 3, 4, 5, 6])('at change %i of a replacement', (change) => {
    beforeEach(async () => {
      await ensure('one');
      engine.changes.length = 0;
      Object.assign(engine, { loses: change, staysDead });
      await failure(ensure('two'));
      engine.revive();
      // Whatever it is called: something serves, or both wait for the next command.
      expect(engine.containers().filter((line) => line.endsWith('running')).length).toBeLessThan(2);
    });

    test('the same command ends well', async () => {
      await ensure('two');
      expect(engine.containers()).toEqual([`${name} two running`]);
    });

    test('what was before can be had again', async () => {
      await ensure('one');
      expect(engine.containers()).toEqual([`${name} one running`]);
    });

    test('a next one that does not work leaves what worked', async () => {
      expect(await failure(ensure('bad'))).toMatchObject({ name: 'RolledBackError' });
      expect(engine.containers()).toEqual([expect.stringMatching(/^shop-prod-db (one|two) running$/)]);
    });
  });

  test.each([1, 2])('at change %i of the first one, the same command ends well', async (change) => {
    Object.assign(engine, { loses: change, staysDead });
    await failure(ensure('one'));
    engine.revive();
    await ensure('one');
    expect(engine.containers()).toEqual([`${name} one running`]);
  });

  test.each([1, 2, 3, 4, 5, 6, 7, 8, 9])(
    'at change %i of a replacement that fails, the one before can be had again',
    async (change) => {
      await ensure('one');
      engine.changes.length = 0;
      Object.assign(engine, { loses: change, staysDead });
      await failure(ensure('bad'));
      engine.revive();
      await ensure('one');
      expect(engine.containers()).toEqual([`${name} one running`]);
    },
  );
});
