import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { partKey } from '../../../infra/context/provider-context.ts';
import { restartingContainers } from '../../../infra/hosts/standing.ts';
import { untilAccessoryWorks } from '../../../infra/workloads/foundation/accessory-container.ts';
import {
  ensureStanding,
  namesBeside,
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

/** A test whether it works that the operator stops. */
const stoppedBy =
  (stop: AbortController) =>
  async (_: unknown, { signal }: { readonly signal: AbortSignal }) => {
    stop.abort(new Error('stopped'));
    signal.throwIfAborted();
  };

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
      `update ${name}.old`,
      `start ${name}`,
      `remove ${name}.old`,
    ]);
    expect(engine.containers()).toEqual([`${name} two running`]);
  });

  test('is replaced by its like where somebody changed it', async () => {
    await ensure('one');
    engine.revive();
    const replaced = new Set([partKey(host(), name)]);
    await ensureStanding({ ...contextIn(folder), replaced }, wanted('one'));
    expect(engine.changes).toContain(`rename ${name} ${name}.old`);
    expect(engine.containers()).toEqual([`${name} one running`]);
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
    const ago = (milliseconds: number) => new Date(Date.now() + engine.ahead - milliseconds).toISOString();
    for (const ahead of [0, 3_600_000, -3_600_000]) {
      engine.ahead = ahead;
      engine.setRestarts(name, 3, ago(2000));
      expect(await restarting()).toEqual([name]);
      engine.setRestarts(name, 3, ago(60_000));
      expect(await restarting()).toEqual([]);
    }
  });

  test.each([3_600_000, -3_600_000])(
    'without a health check works once it has run, by a clock %i ms ahead',
    async (ahead) => {
      await ensure('one');
      engine.ahead = ahead;
      const works = (from: number) => {
        engine.setRestarts(name, 0, new Date(Date.now() + ahead - from).toISOString());
        return contextIn(folder)
          .engine(host())
          .then((found) => untilAccessoryWorks(found, name, 300));
      };
      await works(6000);
      await expect(works(0)).rejects.toThrow(`${name} did not become healthy within 0.3 s`);
    },
  );

  test('is interrupted while it is made, and is gone then', async () => {
    const stop = new AbortController();
    const made = ensureStanding(
      { ...contextIn(folder), signal: stop.signal },
      {
        ...wanted('one'),
        works: stoppedBy(stop),
      },
    );
    expect(await failure(made)).toMatchObject({ name: 'InterruptedError' });
    expect(engine.containers()).toEqual([]);
  });

  test('is not replaced when it is interrupted while it is asked whether it works', async () => {
    await ensure('one');
    engine.changes.length = 0;
    const stop = new AbortController();
    const asked = ensureStanding(
      { ...contextIn(folder), signal: stop.signal },
      {
        ...wanted('one'),
        works: stoppedBy(stop),
      },
    );
    expect(await failure(asked)).toBe(stop.signal.reason);
    expect([engine.changes, engine.containers()]).toEqual([[], [`${name} one running`]]);
  });

  test('stays for the next command when it is interrupted in the middle of a replacement that a kill left', async () => {
    await ensure('one');
    engine.changes.length = 0;
    Object.assign(engine, { loses: 4, staysDead: true });
    await failure(ensure('two'));
    engine.revive();
    const stop = new AbortController();
    const again = ensureStanding(
      { ...contextIn(folder), signal: stop.signal },
      {
        ...wanted('two'),
        works: stoppedBy(stop),
      },
    );
    expect(await failure(again)).toBe(stop.signal.reason);
    expect(engine.containers()).toEqual([`${name} two running`, `${name}.old one exited`]);
    await ensure('two');
    expect(engine.containers()).toEqual([`${name} two running`]);
  });

  describe('with data in a volume that nobody named', () => {
    const data = '/var/lib/db';
    const keeps = (image: string) => ({ ...wanted(image), keepsVolumes: true as const });
    const volumeThere = async () => {
      const found = await (await contextIn(folder).engine(host())).inspectContainer(name);
      return found?.Mounts.find(({ Destination }) => Destination === data)?.Name;
    };
    const replace = (next: StandingContainer) => failure(ensureStanding(contextIn(folder), next));

    beforeEach(async () => {
      engine.declared = { one: [data], two: [data], bad: [data] };
      await ensureStanding(contextIn(folder), keeps('one'));
    });

    test('has it after every replacement, also one that fails or is killed', async () => {
      const volume = await volumeThere();
      expect(volume).toMatch(/^[0-9a-f]{64}$/);
      for (let cut = 1; cut <= 7; cut += 1) {
        for (const image of ['bad', 'two', 'one']) {
          engine.changes.length = 0;
          Object.assign(engine, { loses: cut, staysDead: true });
          await replace(keeps(image));
          engine.revive();
          await replace(keeps(image));
          expect([await volumeThere(), engine.volumes.has(volume ?? '')]).toEqual([volume, true]);
        }
      }
      expect([...engine.volumes]).toEqual([volume]);
    });

    test('has lost nothing when the next one had served for long and is given up then', async () => {
      engine.declared = { ...engine.declared, two: [data, '/var/lib/more'] };
      engine.changes.length = 0;
      Object.assign(engine, { loses: 6, staysDead: true });
      await replace(keeps('two'));
      engine.revive();
      expect(engine.containers()).toEqual([`${name} two running`, `${name}.old one exited`]);
      const both = [...engine.volumes];
      const works: StandingContainer['works'] = async (found) => {
        if ((await found.inspectContainer(name))?.Config.Image === 'two') throw new LockageError('too busy to answer');
      };
      await ensureStanding(contextIn(folder), { ...keeps('one'), works });
      expect(engine.containers()).toEqual([`${name} one running`]);
      expect([both.length, [...engine.volumes]]).toEqual([2, both]);
    });

    test('leaves it on the host when it is removed, or has another one at that place', async () => {
      const volume = await volumeThere();
      const named = keeps('two');
      const mount = { Type: 'volume', Source: 'shop-prod-db-data', Target: data };
      expect(
        await replace({ ...named, body: { ...named.body, HostConfig: { Mounts: [mount] } as never } }),
      ).toBeUndefined();
      expect([await volumeThere(), [...engine.volumes]]).toEqual(['shop-prod-db-data', [volume]]);
      await ensureStanding(contextIn(folder), keeps('one'));
      await removeStanding(contextIn(folder), { ...place, host: host() }, keeps('one'));
      expect([engine.containers(), engine.volumes.size]).toEqual([[], 2]);
    });

    test('has none left over where it holds no data, as with an edge', async () => {
      await removeStanding(contextIn(folder), { ...place, host: host() }, keeps('one'));
      engine.volumes.clear();
      await ensure('one');
      await ensure('two');
      expect(engine.volumes.size).toBe(1);
      await removeStanding(contextIn(folder), { ...place, host: host() }, wanted('two'));
      expect(engine.volumes.size).toBe(0);
    });
  });

  test('whose name a stranger takes meanwhile is not made, and the stranger stays', async () => {
    engine.contested = name;
    expect(await failure(ensure('one'))).toMatchObject({ name: 'DownError' });
    expect(engine.containers()).toEqual([`${name} theirs created`]);
  });

  test('stays when a stranger takes the name of the next one', async () => {
    await ensure('one');
    engine.contested = `${name}.new`;
    expect(await failure(ensure('two'))).toMatchObject({ name: 'RolledBackError' });
    expect(engine.containers()).toEqual([`${name} one running`, `${name}.new theirs created`]);
  });

  test('called as another one’s trial was once is none', () => {
    expect(Object.values(namesBeside(name))).not.toContain(`${name}-trial`);
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

/** What is there when a replacement of one by two is cut at a change: killed, nothing is put back. */
function leftAt(change: number, killed: boolean): string[] {
  if (change === 7) return [`${name} two running`];
  if (!killed) return [`${name} one running`];
  return [
    [`${name} one running`, `${name}.new two created`],
    [`${name}.new two created`, `${name}.old one running`],
    [`${name} two created`, `${name}.old one running`],
    [`${name} two created`, `${name}.old one exited`],
    [`${name} two created`, `${name}.old one exited`],
    [`${name} two running`, `${name}.old one exited`],
  ][change - 1] as string[];
}

describe.each([
  ['a command that was killed', true],
  ['a lost answer', false],
])('after %s', (_, staysDead) => {
  describe.each([1, 2, 3, 4, 5, 6, 7])('at change %i of a replacement', (change) => {
    beforeEach(async () => {
      await ensure('one');
      engine.changes.length = 0;
      Object.assign(engine, { loses: change, staysDead });
      await failure(ensure('two'));
      expect(engine.hasCut).toBe(true);
      engine.revive();
      expect(engine.containers()).toEqual(leftAt(change, staysDead));
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
    expect(engine.hasCut).toBe(true);
    engine.revive();
    await ensure('one');
    expect(engine.containers()).toEqual([`${name} one running`]);
  });

  test.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])(
    'at change %i of a replacement that fails, the one before can be had again',
    async (change) => {
      await ensure('one');
      engine.changes.length = 0;
      Object.assign(engine, { loses: change, staysDead });
      await failure(ensure('bad'));
      expect(engine.hasCut).toBe(true);
      engine.revive();
      await ensure('one');
      expect(engine.containers()).toEqual([`${name} one running`]);
    },
  );
});
