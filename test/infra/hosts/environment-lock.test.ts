import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { findLock, LockOnHost, type WantedLock } from '../../../infra/hosts/environment-lock.ts';
import { thisProcess } from '../../../infra/system/this-process.ts';
import type { LockHolder } from '../../../pipelines/model/lock-holder.ts';
import { VolumeEngine } from '../../support/volume-engine.ts';

const place = { app: 'shop', environment: 'prod' };
let host: VolumeEngine;
let here: LockHolder;
/** a run on another computer, of which nothing can be seen from here */
let away: LockHolder;

beforeEach(async () => {
  host = await VolumeEngine.start();
  here = { actor: 'anna@desk', ...(await thisProcess()), since: '2026-01-01T12:00:00Z', purpose: 'promote 1.0.0' };
  away = { ...here, actor: 'ci@runner', machine: 'runner', pidSpace: 'another', purpose: 'promote 1.1.0' };
});

afterEach(() => {
  vi.useRealTimers();
  host.close();
});

const lease = 90_000;
const wanted = (holder: LockHolder, token: string, more: Partial<WantedLock> = {}): WantedLock => ({
  ...place,
  holder,
  token,
  lease,
  ...more,
});
const take = async (holder: LockHolder, token: string, more: Partial<WantedLock> = {}) => {
  const lock = await LockOnHost.take(host.engine, wanted(holder, token, more));
  await lock.tell();
  return { lock, overtaken: lock.overtaken };
};
const find = async () => (await findLock(host.engine, place))?.holder;

/** A process of this computer that was killed. */
const killed = () => spawnSync('sh', ['-c', 'kill -9 $$']).pid;

/** As a version of before wrote it. */
const withoutLease = (holder: LockHolder) =>
  host.engine.createVolume('shop-prod-lock', {
    Labels: { 'lockage.token': 'old', 'lockage.holder': JSON.stringify(holder) },
  });

describe('the lock of an environment', () => {
  it('is free again when it is let go of, and leaves nothing', async () => {
    const { lock } = await take(here, 'mine');
    await lock.renew();
    await lock.renew();
    expect(await find()).toEqual(here);
    await lock.release();
    expect(await find()).toBeUndefined();
    expect(host.names).toEqual([]);
  });

  it.each<[string, (left: LockHolder) => LockHolder]>([
    ['', (left) => left],
    [' of an earlier version', ({ pidSpace: _, ...left }) => left],
  ])('of a process%s that was killed here is taken over', async (_which, written) => {
    await withoutLease(written({ ...here, actor: 'bert@desk', pid: killed() }));
    const { lock, overtaken } = await take(here, 'mine');
    expect(await find()).toEqual(here);
    // It is dead: no host has to refuse it.
    expect(overtaken).toEqual([]);
    await lock.release();
    expect(host.names).toEqual([]);
  });

  it('stays with a process that lives', async () => {
    const living = spawn('sleep', ['60']);
    await once(living, 'spawn');
    await take({ ...here, pid: living.pid ?? 0 }, 'theirs');
    await expect(take(here, 'mine')).rejects.toMatchObject({
      name: 'LockedError',
      details: [`process ${living.pid} on ${here.machine}`],
      hint: expect.stringMatching(/anybody may take over in \d+ s/),
    });
    living.kill();
    await once(living, 'exit');
    await take(here, 'mine');
    expect(await find()).toEqual(here);
  });

  it.each<[string, (space: string) => Partial<LockHolder>]>([
    ['another computer of the same name', (space) => ({ pidSpace: space.replace(/^\S+/, crypto.randomUUID()) })],
    ['a container of the same name', (space) => ({ pidSpace: `${space.split(' ')[0]} pid:[1]` })],
    ['a computer of another name', () => ({ machine: 'elsewhere' })],
  ])('without a lease stays with a process of %s, whose number nobody has here', async (_where, changes) => {
    const theirs = { ...here, pid: killed(), ...changes(here.pidSpace ?? '') };
    await withoutLease(theirs);
    host.pass(1e6);
    await expect(take(here, 'mine')).rejects.toMatchObject({
      name: 'LockedError',
      details: [expect.stringContaining(`process ${theirs.pid} on ${theirs.machine}`)],
      hint: expect.stringContaining('lockage unlock prod'),
    });
    expect(await find()).toEqual(theirs);
    const { lock, overtaken } = await take(here, 'mine', { evenOf: theirs });
    expect(overtaken).toEqual([theirs]);
    await lock.release();
    expect(await find()).toBeUndefined();
  });

  it('that lost its labels in a power cut is nobody’s', async () => {
    await host.engine.createVolume('shop-prod-lock');
    expect(await find()).toBeUndefined();
    const { lock } = await take(here, 'mine');
    expect(await find()).toEqual(here);
    await lock.release();
    expect(host.names).toEqual([]);
  });
});

describe('the lease of a lock', () => {
  it('blocks nobody for longer once its run is gone', async () => {
    await take(away, 'theirs');
    host.pass(85);
    await expect(take(here, 'mine')).rejects.toMatchObject({ name: 'LockedError' });
    host.pass(10);
    const { lock, overtaken } = await take(here, 'mine');
    expect(overtaken).toEqual([away]);
    expect(await find()).toEqual(here);
    await lock.release();
    expect(await find()).toBeUndefined();
    // What is left tells a holder who sleeps; after a day nobody comes back.
    expect(host.names).toEqual(['shop-prod-lock.theirs.over']);
    host.pass(90_000);
    await (await take(here, 'later')).lock.release();
    expect(host.names).toEqual([]);
  });

  it('holds for as long as it is renewed', async () => {
    const { lock } = await take(away, 'theirs');
    for (let minutes = 0; minutes < 5; minutes += 1) {
      host.pass(60);
      expect(await lock.renew()).toBeUndefined();
    }
    await expect(take(here, 'mine')).rejects.toMatchObject({ name: 'LockedError' });
    expect(host.names).toHaveLength(2);
  });

  it('is taken over by one of two', async () => {
    await take(away, 'theirs');
    host.pass(100);
    const results = await Promise.allSettled([take(here, 'a'), take({ ...here, actor: 'carl' }, 'b')]);
    expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  });

  it('is lost by who slept, to whoever has taken over, and nothing of that one goes', async () => {
    vi.useFakeTimers({ toFake: ['performance', 'Date'] });
    const { lock } = await take(away, 'theirs');
    host.pass(100);
    vi.advanceTimersByTime(100_000);
    expect(lock.isOver).toBe(true);
    await take(here, 'mine');
    expect((await lock.renew())?.holder).toEqual(here);
    await lock.release();
    expect(await find()).toEqual(here);
  });

  it('is lost by who slept also when whoever took over has ended', async () => {
    vi.useFakeTimers({ toFake: ['performance', 'Date'] });
    const { lock } = await take(away, 'theirs');
    host.pass(100);
    vi.advanceTimersByTime(100_000);
    await (await take(here, 'mine')).lock.release();
    expect((await lock.renew())?.holder).toEqual(here);
    await lock.release();
    expect(host.names).toEqual([]);
  });

  it('is taken again by who slept, where nobody else did', async () => {
    vi.useFakeTimers({ toFake: ['performance', 'Date'] });
    const { lock } = await take(away, 'theirs');
    host.pass(100);
    vi.advanceTimersByTime(100_000);
    expect(await lock.renew()).toBeUndefined();
    expect(lock.isOver).toBe(false);
    await expect(take(here, 'mine')).rejects.toMatchObject({ name: 'LockedError' });
    await lock.release();
    expect(host.names).toEqual([]);
  });

  it('of two who wake at the same time goes to one', async () => {
    vi.useFakeTimers({ toFake: ['performance', 'Date'] });
    const { lock } = await take(away, 'theirs');
    host.pass(100);
    vi.advanceTimersByTime(100_000);
    const [renewed, taken] = await Promise.allSettled([lock.renew(), take(here, 'mine')]);
    const held = renewed.status === 'fulfilled' && renewed.value === undefined;
    expect(held).toBe(taken.status === 'rejected');
  });

  it('goes on after all volumes were pruned', async () => {
    const { lock } = await take(away, 'theirs');
    host.volumes.clear();
    expect(await lock.renew()).toBeUndefined();
    await expect(take(here, 'mine')).rejects.toMatchObject({ name: 'LockedError' });
    await lock.release();
    expect(host.names).toEqual([]);
  });

  it('is lost when somebody has taken the lock after all volumes were pruned', async () => {
    const { lock } = await take(away, 'theirs');
    host.volumes.clear();
    await take(here, 'mine');
    expect((await lock.renew())?.holder).toEqual(here);
    expect(await find()).toEqual(here);
  });

  it('is renewed in a new name each time, so that one whose answer was lost is no renewal of old', async () => {
    const { lock } = await take(away, 'theirs');
    let failing = true;
    host.before = (method) => {
      host.isDown = failing && method === 'POST';
    };
    await expect(lock.renew()).rejects.toThrow('the connection to the Docker Engine broke');
    failing = false;
    host.isDown = false;
    host.pass(80);
    await lock.renew();
    host.pass(80);
    await expect(take(here, 'mine')).rejects.toMatchObject({ name: 'LockedError' });
  });
});

describe('a host whose clock is set', () => {
  const day = 86_400;

  it('back does not let a living holder be robbed', async () => {
    const { lock } = await take(away, 'theirs');
    host.pass(-day);
    await expect(take(here, 'mine')).rejects.toMatchObject({ name: 'LockedError' });
    host.pass(30);
    await lock.renew();
    host.pass(80);
    await expect(take(here, 'mine')).rejects.toMatchObject({ name: 'LockedError' });
  });

  it('back blocks nobody for longer than a lease after somebody wanted it', async () => {
    await take(away, 'theirs');
    host.pass(-day);
    await expect(take(here, 'mine')).rejects.toMatchObject({ name: 'LockedError' });
    host.pass(60);
    await expect(take(here, 'mine')).rejects.toMatchObject({ name: 'LockedError' });
    host.pass(40);
    await take(here, 'mine');
    expect(await find()).toEqual(here);
  });

  it('back twice counts from the second time', async () => {
    await take(away, 'theirs');
    host.pass(-day);
    await expect(take(here, 'mine')).rejects.toMatchObject({ name: 'LockedError' });
    host.pass(-day);
    await expect(take(here, 'mine')).rejects.toMatchObject({ name: 'LockedError' });
    host.pass(100);
    await take(here, 'mine');
  });

  it('forward lets somebody take over, which the holder finds out', async () => {
    const { lock } = await take(away, 'theirs');
    host.pass(day);
    await take(here, 'mine');
    expect((await lock.renew())?.holder).toEqual(here);
  });
});
