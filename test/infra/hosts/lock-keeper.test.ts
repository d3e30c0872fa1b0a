import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Connections } from '../../../infra/docker/connections.ts';
import { LockKeeper } from '../../../infra/hosts/lock-keeper.ts';
import { hostWith } from '../../pipelines/model/values.ts';
import { VolumeEngine } from '../../support/volume-engine.ts';

let folder: string;
const hosts = new Map<string, VolumeEngine>();
const opened: Connections[] = [];
/** what the hosts were asked, as `B POST shop-prod-lock` */
let asked: string[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lockage-keeper-'));
  asked = [];
  for (const id of ['A', 'B', 'C']) {
    const made = await VolumeEngine.start(id);
    made.before = (method, volume) => void asked.push(`${id} ${method} ${volume}`);
    hosts.set(id, made);
  }
});

afterEach(async () => {
  vi.useRealTimers();
  for (const each of hosts.values()) each.close();
  await Promise.all(opened.splice(0).map((each) => each.close()));
  rmSync(folder, { recursive: true, force: true });
});

const engine = (id: string): VolumeEngine => {
  const found = hosts.get(id);
  if (!found) throw new Error(`no engine ${id}`);
  return found;
};
const lease = 90_000;
function operator(actor: string): LockKeeper {
  const connections = new Connections({ stateDir: folder });
  opened.push(connections);
  return new LockKeeper({ app: 'shop', actor, connections, lease });
}
/** The environment as an operator's files have it: hosts by the ids of their engines, under any names. */
const prod = (...ids: string[]) => ({
  environment: 'prod',
  hosts: ids.map((id, index) => hostWith(`prod-${index + 1}`, { url: `unix://${engine(id).socket}` })),
});
const locked = { name: 'LockedError', message: expect.stringContaining('prod is locked by anna') };

/** This computer and all hosts were asleep, or one of them alone. */
function sleeps(seconds: number, on: readonly string[] = ['A', 'B', 'C']): void {
  vi.useFakeTimers({ toFake: ['performance', 'Date'] });
  vi.advanceTimersByTime(seconds * 1000);
  for (const id of on) engine(id).pass(seconds);
}

describe('two operators whose files differ', () => {
  it.each<[string, string[], string[]]>([
    ['name the hosts in another order', ['A', 'B'], ['B', 'A']],
    ['share one host only', ['A', 'B'], ['C', 'B']],
    ['do not have a host that the other has', ['A', 'B'], ['B']],
  ])('%s: one of them goes on', async (_case, hers, his) => {
    const taken = await operator('anna').take(prod(...hers), 'promote 1.1.0');
    await expect(operator('bert').take(prod(...his), 'promote 1.2.0')).rejects.toMatchObject(locked);
    await taken.release();
    for (const each of hosts.values()) expect(each.names).toEqual([]);
    await operator('bert').take(prod(...his), 'promote 1.2.0');
  });

  it('lock the hosts in the same order, and the first one alone before the others', async () => {
    await operator('anna').take(prod('C', 'B', 'A'), 'promote 1.1.0');
    const made = asked.filter((each) => each.includes('POST'));
    expect(made[0]).toBe('A POST shop-prod-lock');
    expect(made.slice(1).toSorted()).toEqual(['B POST shop-prod-lock', 'C POST shop-prod-lock']);
  });

  it('at the same moment do not keep both from going on', async () => {
    const begin = (actor: string, ...ids: string[]) => operator(actor).take(prod(...ids), 'promote');
    const results = await Promise.allSettled([begin('anna', 'A', 'B', 'C'), begin('bert', 'C', 'B', 'A')]);
    expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  });
});

describe('a host that does not answer', () => {
  it('is no obstacle where another one does', async () => {
    engine('A').isDown = true;
    const taken = await operator('anna').take(prod('A', 'B'), 'cordon prod-1');
    expect(taken.hosts.map(({ name }) => name)).toEqual(['prod-2']);
    await expect(operator('bert').take(prod('A', 'B'), 'promote')).rejects.toMatchObject(locked);
  });

  it('is one where it is the only one', async () => {
    engine('A').isDown = true;
    await expect(operator('anna').take(prod('A'), 'promote')).rejects.toThrow('prod-1: cannot reach');
  });

  it('does not have a lock taken from who renews it elsewhere', async () => {
    const anna = operator('anna');
    await anna.take(prod('A', 'B'), 'promote 1.1.0');
    engine('A').isDown = true;
    sleeps(100);
    await anna.check();
    engine('A').isDown = false;
    await expect(operator('bert').take(prod('A', 'B'), 'promote')).rejects.toMatchObject(locked);
  });
});

describe('a command that is refused on one host', () => {
  const refused = { name: 'LockedError', message: expect.stringMatching(/^prod is locked by/) };
  const held = () => [...hosts.values()].flatMap(({ names }) => names);

  it('takes over nothing on another one, where the lease of who holds both is over', async () => {
    const anna = operator('anna');
    await anna.take(prod('A', 'B'), 'promote 1.1.0');
    const before = held();
    sleeps(100, ['A']);
    await expect(operator('bert').take(prod('A', 'B'), 'promote 1.2.0')).rejects.toMatchObject(refused);
    expect(held()).toEqual(before);
    await anna.check();
  });

  it('gives back what it has taken over, and ends nobody’s command', async () => {
    const anna = operator('anna');
    await anna.take(prod('A'), 'promote 1.1.0');
    const before = held();
    sleeps(100);
    // Carl is faster on the other host, after bert has looked there.
    engine('B').before = (method, volume) => {
      if (method !== 'POST' || volume !== 'shop-prod-lock') return;
      const holder = JSON.stringify({ actor: 'carl', machine: 'desk', pid: 1, since: '', purpose: 'promote' });
      const Labels = { 'lockage.token': 'carls', 'lockage.holder': holder, 'lockage.lease': '90' };
      const CreatedAt = new Date(engine('B').clock).toISOString();
      engine('B').volumes.set(volume, { Name: volume, Labels, CreatedAt });
    };
    await expect(operator('bert').take(prod('A', 'B'), 'promote 1.2.0')).rejects.toMatchObject(refused);
    expect(asked.filter((each) => each.endsWith('.next')).length).toBeGreaterThan(0);
    expect(engine('A').names).toEqual(before);
    await anna.check();
  });
});

describe('a command that has slept', () => {
  it('is told who has taken over, and so is whatever it runs', async () => {
    const anna = operator('anna');
    const taken = await anna.take(prod('A', 'B'), 'promote 1.1.0');
    const stopped: string[] = [];
    anna.onLost((error) => stopped.push(error.message));
    await anna.check();
    sleeps(100);
    const theirs = await operator('bert').take(prod('B', 'A'), 'promote 1.2.0');
    expect(theirs.overtaken.map(({ actor, purpose }) => [actor, purpose])).toContainEqual(['anna', 'promote 1.1.0']);
    const overtaken = { name: 'OvertakenError', details: [expect.stringContaining('bert since')] };
    await expect(anna.check()).rejects.toMatchObject(overtaken);
    await expect(anna.check()).rejects.toMatchObject(overtaken);
    expect(stopped).toEqual(['another operation has taken over prod']);
    await taken.release();
    expect((await operator('carl').find(prod('A', 'B')))?.holder.actor).toBe('bert');
  });

  it('goes on where nobody else has begun', async () => {
    const anna = operator('anna');
    await anna.take(prod('A', 'B'), 'promote 1.1.0');
    sleeps(100);
    await anna.check();
    await expect(operator('bert').take(prod('A', 'B'), 'promote')).rejects.toMatchObject(locked);
  });

  it('does not go on where no host can say whether somebody else has', async () => {
    const anna = operator('anna');
    await anna.take(prod('A', 'B'), 'promote 1.1.0');
    for (const each of hosts.values()) each.isDown = true;
    sleeps(100);
    await expect(anna.check()).rejects.toThrow('no host of prod says whether this command still holds the lock');
    for (const each of hosts.values()) each.isDown = false;
    await anna.check();
  });

  it('hears of it by itself, and so does whatever it runs', async () => {
    const anna = operator('anna');
    await anna.take(prod('A', 'B'), 'promote 1.1.0');
    const stopped: string[] = [];
    anna.onLost((error) => stopped.push(error.message));
    await unlocks('bert', prod('A', 'B'));
    sleeps(10, []);
    await expect.poll(() => stopped).toEqual(['another operation has taken over prod']);
  });
});

/** A person gives somebody's lock to nobody, though its lease holds. */
async function unlocks(actor: string, place: ReturnType<typeof prod>): Promise<void> {
  const theirs = operator(actor);
  const taken = await theirs.take(place, 'unlock', (await theirs.find(place))?.holder);
  await taken.release();
}

describe('a command whose lease holds', () => {
  it('hears before its next step that a person has unlocked it, though one host is silent', async () => {
    const anna = operator('anna');
    await anna.take(prod('A', 'B'), 'promote 1.1.0');
    engine('A').isDown = true;
    await unlocks('bert', prod('A', 'B'));
    sleeps(2, []);
    await expect(anna.check()).rejects.toMatchObject({ name: 'OvertakenError' });
  });

  it('asks at most once a second', async () => {
    const anna = operator('anna');
    await anna.take(prod('A'), 'promote 1.1.0');
    const before = asked.length;
    await anna.check();
    expect(asked).toHaveLength(before);
    sleeps(1, []);
    for (let step = 0; step < 3; step += 1) await anna.check();
    expect(asked).toHaveLength(before + 1);
  });

  it('goes on where no host answers now', async () => {
    const anna = operator('anna');
    await anna.take(prod('A', 'B'), 'promote 1.1.0');
    for (const each of hosts.values()) each.isDown = true;
    sleeps(2, []);
    await anna.check();
  });
});

it('a command does not wait before each step for a host that is silent, where another one has confirmed the lock', async () => {
  const anna = operator('anna');
  await anna.take(prod('A', 'B'), 'promote 1.1.0');
  engine('A').isDown = true;
  sleeps(100);
  await anna.check();
  const before = asked.length;
  await anna.check();
  expect(asked).toHaveLength(before);
});

it('a command takes the lock once more only where it has none yet', async () => {
  const anna = operator('anna');
  const outer = await anna.take(prod('A'), 'image 1.1.0');
  const inner = await anna.take(prod('A', 'B'), 'image 1.1.0');
  expect(inner.hosts.map(({ name }) => name)).toEqual(['prod-2']);
  expect(['prod-1', 'prod-2', 'prod-3'].map((name) => anna.holdsOn(name))).toEqual([true, true, false]);
  await inner.release();
  await expect(operator('bert').take(prod('A'), 'promote')).rejects.toMatchObject(locked);
  await outer.release();
  for (const each of hosts.values()) expect(each.names).toEqual([]);
});
