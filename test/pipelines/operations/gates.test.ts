import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LockageError } from '../../../pipelines/errors.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import type { FreezeWindow } from '../../../pipelines/model/freeze.ts';
import { why } from '../../../pipelines/operations/why.ts';
import { environment, host, release, role } from '../model/values.ts';
import { MemoryWorld } from './memory-world.ts';
import { errorOf, everywhere, onHosts, onSwarm, worldOf } from './situations.ts';

const hour = 3_600_000;
const toProd = { environment: 'prod', version: '1.0.0' };
const back = { environment: 'prod', startedAt: 0 };
const bad = { version: '2.0.0', reason: 'loses orders' };
const always: FreezeWindow = {
  kind: 'fixed',
  from: 0,
  until: Date.parse('2026-02-01T00:00:00Z'),
  zone: 'UTC',
  reason: 'the audit',
};

const qa = environment({ name: 'qa', hosts: [host('qa-1')], roles: [role({ hosts: ['qa-1'] })] });

/** 1.0.0 has just come to qa, which is before prod. */
async function behindQa(changes: Partial<Environment> = {}): Promise<MemoryWorld> {
  const world = new MemoryWorld([qa, onHosts({ after: ['qa'], ...changes })]);
  world.releases = ['1.0.0', '2.0.0', '3.0.0'].map((version) => release(version));
  await world.perform('promote', { environment: 'qa', version: '1.0.0' });
  return world;
}

const configure = (world: MemoryWorld, changes: Partial<Environment>) =>
  void Object.assign(world.place().configured, changes);

const refusedFor = async (world: MemoryWorld, request = toProd) => {
  const error = await errorOf(world, 'promote', request);
  expect(world.changes).toEqual([]);
  return error instanceof LockageError ? [error.message, ...error.details, error.hint].join(' | ') : 'no refusal';
};

describe('soak', () => {
  test('keeps a release out until it has served long enough, and says until when', async () => {
    const world = await behindQa({ soak: 2 * hour });
    expect(await refusedFor(world)).toMatch(
      /^release 1\.0\.0 may not enter prod \| 1\.0\.0 has served \d+ s in qa, and 2 h are wanted \| Run the same command again after 2026-01-02 02:00 UTC\.$/,
    );
    world.pass(2 * hour);
    await world.perform('promote', toProd);
    expect(world.place().serves()).toEqual(everywhere('1.0.0'));
  });

  test('begins again once a hold is lifted', async () => {
    const world = await behindQa({ soak: 2 * hour });
    await world.perform('promote', { environment: 'qa', version: '2.0.0' });
    world.pass(hour);
    await world.perform('rollback', { environment: 'qa', startedAt: 0 });
    world.pass(3 * hour);
    expect(await refusedFor(world)).toMatch(
      /has served \d+ s in qa, and 2 h are wanted; qa is on hold \| Run `lockage resume qa`/,
    );
    await world.perform('resume', { environment: 'qa' });
    world.pass(hour);
    expect(await refusedFor(world)).toMatch(/has served 1 h( \d+ s)? in qa, and 2 h are wanted/);
    world.pass(hour);
    await world.perform('promote', toProd);
  });

  test('is skipped by a rollback, and asked of nothing that serves already', async () => {
    const world = await behindQa();
    await world.perform('promote', toProd);
    await world.perform('promote', { environment: 'qa', version: '2.0.0' });
    await world.perform('promote', { environment: 'prod', version: '2.0.0' });
    configure(world, { soak: 2 * hour });
    await world.perform('rollback', back);
    expect(world.place().serves()).toEqual(everywhere('1.0.0'));
    await world.perform('resume', { environment: 'prod' });
    await world.perform('promote', toProd);
    expect(world.place().serves()).toEqual(everywhere('1.0.0'));
  });

  test('and a freeze are no part of containers: another one makes none anew', async () => {
    const world = await behindQa({ soak: 1 });
    await world.perform('promote', toProd);
    const before = world.place().present();
    configure(world, { soak: 2 * hour, freeze: [{ ...always, until: 1 }] });
    expect(await world.perform('promote', toProd)).toMatchObject({ outcome: 'unchanged' });
    expect(world.place().present()).toEqual(before);
  });
});

describe('a freeze', () => {
  const frozen = async (made: Environment = onHosts(), ...versions: readonly string[]) => {
    const world = await worldOf(made, ...versions);
    configure(world, { freeze: [always] });
    return world;
  };

  test('keeps everything out that is promoted, also what serves already', async () => {
    const world = await frozen(onHosts(), '1.0.0');
    const said =
      'release 1.0.0 may not enter prod | prod is frozen until 2026-02-01 00:00 UTC: the audit' +
      ' | Run the same command again after 2026-02-01 00:00 UTC.';
    expect(await refusedFor(world)).toBe(said);
    expect(await refusedFor(world, { environment: 'prod', version: '2.0.0' })).toBe(said.replace('1.0.0', '2.0.0'));
  });

  test('does not keep anybody from going back, cordoning or healing', async () => {
    const world = await frozen(onHosts(), '1.0.0', '2.0.0');
    await world.perform('rollback', back);
    expect(world.place().serves()).toEqual(everywhere('1.0.0'));
    const [broken = ''] = world.place().engine('prod-1').containers.keys();
    world.place().changed.set(`prod-1/${broken}`, 'HostConfig.Memory');
    expect(await world.perform('heal', { environment: 'prod' })).toMatchObject({ outcome: 'healed' });
    await world.perform('cordon', { environment: 'prod', host: 'prod-2' });
    await world.perform('uncordon', { environment: 'prod', host: 'prod-2' });
  });

  test('does not keep a role from growing', async () => {
    const world = await frozen(onSwarm(), '1.0.0');
    expect(await world.perform('scale', { environment: 'prod', counts: { web: 4 } })).toMatchObject({
      outcome: 'promoted',
    });
  });
});

describe('a blocked release', () => {
  test('is recorded with who, when and why, once', async () => {
    const world = await worldOf(onHosts(), '2.0.0');
    expect(await world.perform('block', bad)).toMatchObject({ outcome: 'blocked', runs: ['prod'] });
    const again = await world.perform('block', { version: '2.0.0', reason: 'something else' });
    expect(again).toMatchObject({ outcome: 'blocked already', block: { reason: 'loses orders' } });
    expect(world.blocks).toEqual([
      {
        ...{ version: '2.0.0', digest: release('2.0.0').digest, actor: 'anna@desk', reason: 'loses orders' },
        since: expect.stringMatching(/^2026-01-02T00:\d\d:\d\d\.000Z$/),
      },
    ]);
  });

  test.each([
    ['records.changeBlocks', 'blocked'],
    ['records.changeBlocks done', 'blocked already'],
  ])('is blocked by the same command again where it was killed at %s', async (moment, outcome) => {
    const world = await worldOf(onHosts(), '2.0.0');
    world.at(moment, () => world.kill());
    expect(await errorOf(world, 'block', bad)).toBeDefined();
    world.calm();
    expect(await world.perform('block', bad)).toMatchObject({ outcome });
    expect(world.blocks).toHaveLength(1);
  });

  test('needs a reason, and a release that there is', async () => {
    const world = await worldOf(onHosts());
    expect(await errorOf(world, 'block', { version: '2.0.0', reason: ' ' })).toMatchObject({
      message: 'a block needs a reason',
    });
    expect(await errorOf(world, 'block', { version: '9.0.0', reason: 'x' })).toMatchObject({
      message: expect.stringMatching(/^there is no release 9\.0\.0/),
    });
    expect(world.blocks).toEqual([]);
  });

  test('enters nothing until it is unblocked', async () => {
    const world = await worldOf(onHosts(), '1.0.0');
    await world.perform('block', bad);
    expect(await refusedFor(world, { environment: 'prod', version: '2.0.0' })).toMatch(
      /^release 2\.0\.0 may not enter prod \| 2\.0\.0 is blocked since .* by anna@desk: loses orders \| Run `lockage unblock 2\.0\.0`\.$/,
    );
    expect(await world.perform('unblock', { version: '2.0.0' })).toMatchObject({ outcome: 'unblocked', block: bad });
    expect(await world.perform('unblock', { version: '2.0.0' })).toEqual({ outcome: 'not blocked' });
    await world.perform('promote', { environment: 'prod', version: '2.0.0' });
    expect(world.place().serves()).toEqual(everywhere('2.0.0'));
  });

  test('enters nothing either when it is blocked while the operator thinks', async () => {
    const world = await worldOf(onHosts(), '1.0.0');
    const digest = release('2.0.0').digest;
    const block = { ...bad, digest, since: '2026-01-02T00:00:00.000Z', actor: 'ben@ci' };
    world.at('terminal.confirm', () => void (world.blocks = [block]));
    const error = await errorOf(world, 'promote', { environment: 'prod', version: '2.0.0' });
    expect(error?.message).toBe('release 2.0.0 may not enter prod');
    expect(world.place().serves()).toEqual(everywhere('1.0.0'));
  });

  test('goes on where it serves, and is left as always', async () => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    await world.perform('block', bad);
    expect(world.place().serves()).toEqual(everywhere('2.0.0'));
    expect(await world.perform('promote', { environment: 'prod', version: '2.0.0' })).toMatchObject({
      outcome: 'unchanged',
    });
    await world.perform('rollback', back);
    expect(world.place().serves()).toEqual(everywhere('1.0.0'));
  });

  test('is nothing to go back to: a rollback passes it over and says so', async () => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0', '3.0.0');
    await world.perform('block', bad);
    expect(await errorOf(world, 'rollback', { ...back, to: '2.0.0' })).toMatchObject({
      message: 'prod does not go back to 2.0.0 (revision 2)',
      details: [expect.stringMatching(/^revision 2: 2\.0\.0 is blocked since .* by anna@desk: loses orders$/)],
      hint: 'Go back to another one, or run `lockage unblock 2.0.0` first.',
    });
    expect(await world.perform('drill', back)).toMatchObject({ drill: { version: '1.0.0' } });
    await world.perform('rollback', back);
    expect(world.notes).toContainEqual(expect.stringMatching(/^not to revision 2: 2\.0\.0 is blocked/));
    expect(world.place().serves()).toEqual(everywhere('1.0.0'));
  });

  test('is refused where there is nothing else to go back to', async () => {
    const world = await worldOf(onHosts(), '2.0.0', '3.0.0');
    await world.perform('block', bad);
    expect(await errorOf(world, 'rollback', back)).toMatchObject({
      message: 'all earlier good revisions of prod are of blocked releases',
      hint: 'Promote another release, or run `lockage unblock 2.0.0` first.',
    });
    expect(world.place().serves()).toEqual(everywhere('3.0.0'));
  });

  test('is not gone back to when it is blocked after it was chosen', async () => {
    const world = await worldOf(onHosts(), '2.0.0', '3.0.0');
    const block = { ...bad, digest: release('2.0.0').digest, since: '2026-01-02T00:00:00.000Z', actor: 'ben@ci' };
    world.at('hosts.lock', () => void (world.blocks = [block]));
    expect(await errorOf(world, 'rollback', back)).toMatchObject({
      message: '2.0.0 has just been blocked: nothing was done',
    });
    expect(world.place().serves()).toEqual(everywhere('3.0.0'));
  });

  test('keeps nobody from going back when the list of them cannot be read', async () => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    const broken = new LockageError('the state of releases is damaged');
    for (const nth of [1, 2]) world.fail('records.blocks', broken, nth);
    await world.perform('rollback', back);
    expect(world.place().serves()).toEqual(everywhere('1.0.0'));
    expect(world.notes).toContain('it is not known which releases are blocked: the state of releases is damaged');
  });
});

describe('a clock', () => {
  test('of the operator that is a day off opens nothing, and records no time that others count from', async () => {
    const world = await behindQa({ soak: 2 * hour });
    world.ahead = -24 * hour;
    world.pass(24 * hour);
    expect(await refusedFor(world)).toMatch(/the clock of this computer is 1 d ahead of prod-1; .* ahead of prod-2/);
    expect(await refusedFor(world, { environment: 'qa', version: '2.0.0' })).toMatch(/is 1 d ahead of qa-1/);
    world.ahead = 0;
    await world.perform('promote', toProd);
  });

  test('matters to nothing that needs no time', async () => {
    const world = await worldOf(onHosts());
    world.ahead = -24 * hour;
    await world.perform('promote', toProd);
    expect(world.calls).not.toContain('hosts.clocks');
  });
});

describe('all gates', () => {
  test('that are closed are named at once', async () => {
    const world = await behindQa({ soak: hour, freeze: [always] });
    await world.perform('block', { version: '1.0.0', reason: 'bad' });
    world.moved = true;
    expect(await refusedFor(world)).toMatch(
      /^release 1\.0\.0 may not enter prod \| 1\.0\.0 is blocked .* \| tag was moved .* \| 1\.0\.0 has served .* \| prod is frozen .* \| Run `lockage unblock 1\.0\.0`\. Make a new version\. Run the same command again after 2026-02-01 00:00 UTC\.$/,
    );
  });

  test('are in the plan', async () => {
    const world = await behindQa({ soak: hour });
    world.pass(hour);
    await world.perform('promote', { ...toProd, planOnly: true });
    expect(world.plans[0]?.gates?.map(({ gate, met }) => [gate, met])).toEqual([
      ['hold', true],
      ['block', true],
      ['image', true],
      ['upstream', true],
      ['soak', true],
      ['clock', true],
    ]);
  });

  test('may say another time when the operator has agreed, and the promotion goes on', async () => {
    const world = await behindQa({ soak: hour });
    world.pass(hour);
    world.at('terminal.confirm', () => world.pass(10 * 60_000));
    await world.perform('promote', toProd);
    expect(world.place().serves()).toEqual(everywhere('1.0.0'));
  });
});

describe('why', () => {
  test('says every gate and changes nothing', async () => {
    const world = await behindQa({ soak: hour, freeze: [always] });
    const before = world.state();
    world.calls = [];
    const found = await why(world.context(), toProd);
    expect(found).toMatchObject({ version: '1.0.0', environment: 'prod', mayEnter: false });
    expect(found.gates.map(({ gate, from, met }) => [gate, from, met])).toEqual([
      ['hold', undefined, true],
      ['block', undefined, true],
      ['image', undefined, true],
      ['upstream', 'qa', true],
      ['soak', 'qa', false],
      ['freeze', undefined, false],
      ['clock', undefined, true],
    ]);
    expect(world.state()).toBe(before);
    expect(world.calls.filter((each) => each.startsWith('hosts.'))).toEqual(['hosts.clocks']);
  });

  test('says that a release may enter where a promotion brings it in, and only there', async () => {
    const yes = fc.boolean();
    const closed = fc.record({
      soaks: yes,
      frozen: yes,
      blocked: yes,
      moved: yes,
      held: yes,
      elsewhere: yes,
      ahead: yes,
    });
    await fc.assert(
      fc.asyncProperty(closed, async ({ soaks, frozen, blocked, moved, held, elsewhere, ahead }) => {
        const world = await behindQa({ ...(soaks ? { soak: hour } : {}), ...(frozen ? { freeze: [always] } : {}) });
        if (blocked) await world.perform('block', { version: '1.0.0', reason: 'bad' });
        if (held) {
          const hold = { since: '2026-01-02T00:00:00.000Z', actor: 'anna@desk', reason: 'slow', version: '1.0.0' };
          const place = world.place();
          place.record = { ...place.record, ledger: { ...place.record.ledger, hold } };
        }
        [world.moved, world.ahead] = [moved, ahead ? hour : 0];
        const request = { environment: 'prod', version: elsewhere ? '2.0.0' : '1.0.0' };
        const { mayEnter, gates } = await why(world.context(), request);
        const error = await errorOf(world, 'promote', request);
        expect(error === undefined).toBe(mayEnter);
        const closedGates = gates.filter(({ met }) => !met);
        if (error instanceof LockageError) expect(error.details).toHaveLength(closedGates.length);
        expect(world.place().serves()).toEqual(mayEnter ? everywhere('1.0.0') : []);
      }),
      { numRuns: 60 },
    );
  });
});
