import { describe, expect, test } from 'vitest';
import { InterruptedError, LockageError, LockedError, OvertakenError } from '../../../pipelines/errors.ts';
import type { Host } from '../../../pipelines/model/target.ts';
import { environment as configured, hostWith, release, role } from '../model/values.ts';
import { MemoryWorld } from './memory-world.ts';
import { errorOf, everywhere, onHosts, onMachines, worldOf } from './situations.ts';

const environment = 'prod';
const digit = (at: number) => '123456789abcdef'[at - 1] ?? '0';
const versionOf = (at: number) => release(`${at}.0.0`, digit(at));
const image = (at: number, usedBy: readonly string[] = []) => {
  const { repository, digest } = versionOf(at);
  return { digests: [digest], names: [`${repository}@${digest}`], bytes: 100 * at, usedBy };
};
const volume = 'f'.repeat(64);

/** A world in which 1.0.0 ran long ago, and 2.0.0 to 7.0.0 since; all of them are stored everywhere. */
async function fullWorld(): Promise<MemoryWorld> {
  const world = await worldOf(onHosts());
  const all = [1, 2, 3, 4, 5, 6, 7];
  world.releases = all.map(versionOf);
  for (const at of all) await world.perform('promote', { environment, version: `${at}.0.0` });
  for (const name of ['prod-1', 'prod-2'])
    world.stored.set(name, { images: all.map((at) => image(at)), volumes: [{ name: volume, bytes: 5 }] });
  world.registry = all.map((at) => ({ repository: versionOf(at).repository, digest: versionOf(at).digest, bytes: 10 }));
  return world;
}

const imagesOn = (world: MemoryWorld, name: string) =>
  world.stored.get(name)?.images.map(({ digests }) => digests[0]?.slice(-1)) ?? [];

describe('a pruning', () => {
  test('removes what no environment may go back to, and nameless volumes, and leaves what serves', async () => {
    const world = await fullWorld();
    const { outcome, freed, things } = await world.perform('prune', { environment });
    expect(outcome).toBe('pruned');
    expect(imagesOn(world, 'prod-1')).toEqual(['3', '4', '5', '6', '7']);
    expect(imagesOn(world, 'prod-2')).toEqual(['3', '4', '5', '6', '7']);
    expect(world.stored.get('prod-1')?.volumes).toEqual([]);
    expect(freed).toBe(2 * (100 + 200 + 5));
    expect(things.filter(({ kept }) => kept).every(({ reason }) => reason !== '')).toBe(true);
    expect(world.place().serves()).toEqual(everywhere('7.0.0'));
    // The ledger still has all seven as good, so the registry may be asked for each.
    expect(world.registry).toHaveLength(7);
    expect((await world.perform('prune', { environment })).outcome).toBe('nothing to do');
  });

  test('that is only planned lists each thing with its size and reason, and changes nothing', async () => {
    const world = await fullWorld();
    const before = structuredClone([...world.stored]);
    const { outcome, things } = await world.perform('prune', { environment, planOnly: true });
    expect(outcome).toBe('planned');
    expect(things).toContainEqual({
      ...{ place: 'prod-1', kind: 'image', name: '1.0.0', id: versionOf(1).digest, bytes: 100, kept: false },
      reason: 'it ran in prod (revision 1), where the last 5 good releases are kept',
    });
    expect(things.find(({ name, place }) => name === '7.0.0' && place === 'prod-2')).toMatchObject({
      kept: true,
      reason: 'it serves in prod',
    });
    expect(world.prunings).toEqual([things]);
    expect([...world.stored]).toEqual(before);
    expect(world.calls).not.toContain('hosts.lock');
  });

  test('leaves what somebody’s container is made of, and what nothing is recorded of', async () => {
    const world = await fullWorld();
    const stranger = { ...image(1), digests: [`sha256:${'e'.repeat(64)}` as const] };
    world.stored.set('prod-1', { images: [image(1, ['theirs']), stranger], volumes: [] });
    const { things } = await world.perform('prune', { environment });
    expect(things.filter(({ place }) => place === 'prod-1').map(({ kept, reason }) => [kept, reason])).toEqual([
      [true, 'container theirs is made of it'],
      [true, 'nothing that is recorded is made of it: it may be somebody else’s'],
    ]);
    expect(world.stored.get('prod-1')?.images).toHaveLength(2);
  });

  test('leaves an image that somebody named, and knows the names of a version and of a digest for its own', async () => {
    const world = await fullWorld();
    const { repository, digest } = versionOf(1);
    const named = (...others: string[]) => ({ ...image(1), names: [...image(1).names, ...others] });
    world.stored.set('prod-1', { images: [{ ...image(1), others: ['theirs.example.com/copy:1'] }], volumes: [] });
    world.stored.set('prod-2', { images: [named(`${repository}:known-good`)], volumes: [] });
    const { things } = await world.perform('prune', { environment });
    expect(things.map(({ reason }) => reason)).toEqual([
      'somebody named it theirs.example.com/copy:1',
      `somebody named it ${repository}:known-good`,
    ]);
    const own = named(`${repository}:1.0.0`, `${repository}:${digest.replace(':', '-')}`);
    world.stored.set('prod-1', { images: [own], volumes: [] });
    expect((await world.perform('prune', { environment })).outcome).toBe('pruned');
    expect(imagesOn(world, 'prod-1')).toEqual([]);
  });

  test('does the others where a host does not answer, and names it', async () => {
    const world = await fullWorld();
    world.place().silent.add('prod-1');
    const { outcome, failed } = await world.perform('prune', { environment });
    expect(outcome).toBe('pruned');
    expect(failed).toEqual([{ place: 'prod-1', reason: 'does not answer' }]);
    expect(imagesOn(world, 'prod-2')).toEqual(['3', '4', '5', '6', '7']);
  });

  test('does not ask a host that is cordoned', async () => {
    const world = await fullWorld();
    await world.perform('cordon', { environment, host: 'prod-1' });
    const { things, failed } = await world.perform('prune', { environment });
    expect(failed).toEqual([]);
    expect(things.some(({ place }) => place === 'prod-1')).toBe(false);
    expect(imagesOn(world, 'prod-1')).toHaveLength(7);
  });

  test('goes on where one thing cannot be removed, and says so', async () => {
    const world = await fullWorld();
    world.fail('storage.removeImage', new LockageError('prod-1: cannot remove image: it is in use'));
    const { failed, things } = await world.perform('prune', { environment });
    expect(failed).toEqual([{ place: 'prod-1', reason: 'prod-1: cannot remove image: it is in use' }]);
    expect(things.filter(({ kept }) => !kept)).toHaveLength(5);
  });

  test('keeps what came into use after it was shown', async () => {
    const world = await fullWorld();
    world.at('terminal.confirm', () => {
      for (const name of ['prod-1', 'prod-2'])
        world.stored.set(name, { images: [image(1, ['new']), image(2)], volumes: [] });
    });
    await world.perform('prune', { environment });
    expect(imagesOn(world, 'prod-1')).toEqual(['1']);
  });

  test('is refused where hosts know more than the state does', async () => {
    const world = await fullWorld();
    world.place().fence = { revision: 12, operation: 'theirs', recorded: 12 };
    const error = await errorOf(world, 'prune', { environment });
    expect(error?.message).toBe('hosts of prod know revision 12, this state knows 7');
    expect(imagesOn(world, 'prod-1')).toHaveLength(7);
  });

  test('waits for nobody who has the environment', async () => {
    const world = await fullWorld();
    const theirs = { actor: 'ben@ci', machine: 'ci', pid: 1, since: '2026-01-02T00:00:00Z', purpose: 'promote' };
    world.place().locks.set('prod-1', theirs);
    expect(await errorOf(world, 'prune', { environment })).toBeInstanceOf(LockedError);
    expect(imagesOn(world, 'prod-1')).toHaveLength(7);
  });

  test('that is overtaken removes nothing more', async () => {
    const world = await fullWorld();
    world.at('storage.removeImage done', () => (world.overtaken = new OvertakenError('somebody took over')));
    expect(await errorOf(world, 'prune', { environment })).toBe(world.overtaken);
    expect(imagesOn(world, 'prod-1').length + imagesOn(world, 'prod-2').length).toBeGreaterThan(10);
  });

  test('that is interrupted says that what serves was not changed', async () => {
    const world = await fullWorld();
    world.at('storage.removeImage done', () => world.interrupt());
    const error = await errorOf(world, 'prune', { environment });
    expect(error).toBeInstanceOf(InterruptedError);
    expect(error?.message).toBe('interrupted: what serves was not changed');
    world.calm();
    expect(await errorOf(world, 'prune', { environment })).toBeUndefined();
    expect(imagesOn(world, 'prod-1')).toEqual(['3', '4', '5', '6', '7']);
  });
});

describe('hosts of several environments', () => {
  const at = (name: string, socket: string) => hostWith(name, { url: `unix:///run/${socket}.sock` });

  /** 1.0.0 is on each host of qa and prod, and needed in neither. */
  async function pruned(qa: Host, prod: Host) {
    const world = new MemoryWorld([
      configured({ name: 'qa', hosts: [qa], roles: [role({ hosts: [qa.name] })] }),
      configured({ hosts: [prod], roles: [role({ hosts: [prod.name] })] }),
    ]);
    world.releases = [1, 2, 3, 4, 5, 6, 7].map(versionOf);
    for (const { version } of world.releases)
      for (const each of ['qa', 'prod']) await world.perform('promote', { environment: each, version });
    for (const { name } of [qa, prod])
      world.stored.set(name, { images: [image(1)], volumes: [{ name: volume, bytes: 5 }] });
    const { things, freed, failed } = await world.perform('prune', {});
    return { things: things.map(({ place, name }) => `${place} ${name}`), freed, failed };
  }

  test.each<[string, Host, Host, string]>([
    ['one name', at('box', 'a'), at('box', 'a'), 'box'],
    ['several names', at('qa-1', 'a'), at('prod-1', 'a'), 'qa-1, prod-1'],
  ])('that are one engine under %s are cleared and counted once', async (_, qa, prod, place) => {
    const found = await pruned(qa, prod);
    expect(found).toEqual({ things: [`${place} 1.0.0`, `${place} ffffffffffff`], freed: 105, failed: [] });
  });

  test('that are two engines under one name are both cleared', async () => {
    const found = await pruned(at('box', 'a'), at('box', 'b'));
    expect(found).toMatchObject({ freed: 210, failed: [] });
    expect(found.things.filter((thing) => thing.endsWith('1.0.0'))).toEqual([
      'box (unix:///run/a.sock) 1.0.0',
      'box (unix:///run/b.sock) 1.0.0',
    ]);
  });
});

describe('a pruning of everything', () => {
  /** 1.0.0 and later ones were released and never promoted: ten of these may be promoted next. */
  async function releasedWorld(): Promise<MemoryWorld> {
    const world = await worldOf(onHosts());
    const all = Array.from({ length: 12 }, (_, at) => versionOf(at + 1));
    world.releases = all;
    world.registry = all.map(({ repository, digest }) => ({ repository, digest, bytes: 10 }));
    return world;
  }

  test('removes releases from the registry that ran nowhere and are left behind', async () => {
    const world = await releasedWorld();
    const { freed, notes } = await world.perform('prune', {});
    expect(world.registry.map(({ digest }) => digest.slice(-1))).toEqual('3456789abc'.split(''));
    expect([freed, notes]).toEqual([20, []]);
  });

  test('has the registry of this computer free what was removed there, and says where it could not', async () => {
    const world = await releasedWorld();
    world.fail('storage.freeRegistry', new LockageError('the disk is full'));
    const { failed } = await world.perform('prune', {});
    expect(failed).toEqual([{ place: 'registry', reason: 'the disk is full' }]);
    expect(world.registry).toHaveLength(10);
    expect((await world.perform('prune', {})).outcome).toBe('nothing to do');
  });

  test('keeps in the registry what an image is made of that is kept', async () => {
    const world = await releasedWorld();
    const [first, second, third] = world.registry;
    const index = { repository: versionOf(3).repository, digest: versionOf(3).digest, parts: [versionOf(1).digest] };
    world.registry = [first, second, third].flatMap((each, at) => (each ? [at === 2 ? index : each] : []));
    const { things } = await world.perform('prune', {});
    expect(world.registry.map(({ digest }) => digest.slice(-1))).toEqual(['1', '3']);
    expect(things.find(({ name }) => name === '1.0.0')).toMatchObject({ kept: true, reason: '3.0.0 is made of it' });
  });

  test('removes the images for single platforms with their release, but for those that another one has', async () => {
    const world = await releasedWorld();
    const digestOf = (text: string) => `sha256:${text.repeat(64)}` as const;
    const own = { 'linux/amd64': digestOf('d'), 'linux/arm64': digestOf('e') };
    const shared = { 'linux/amd64': versionOf(4).digest, 'linux/arm64': digestOf('f') };
    const platforms = [own, shared, { 'linux/arm64': digestOf('f') }];
    world.releases = world.releases.map((each, at) => ({
      ...each,
      ...(platforms[at] && { platforms: platforms[at] }),
    }));
    const { repository } = versionOf(1);
    const images = [digestOf('d'), digestOf('e'), digestOf('f')].map((digest) => ({ repository, digest, bytes: 1 }));
    world.registry = [...world.registry, ...images];
    await world.perform('prune', {});
    expect(world.registry.map(({ digest }) => digest.slice(-1))).toEqual('3456789abcf'.split(''));
  });

  test('keeps what an environment runs that is recorded, and not configured here', async () => {
    const world = new MemoryWorld([onHosts(), onHosts({ name: 'eu' })]);
    world.releases = Array.from({ length: 12 }, (_, at) => versionOf(at + 1));
    world.registry = world.releases.map(({ repository, digest }) => ({ repository, digest, bytes: 10 }));
    await world.perform('promote', { environment: 'eu', version: '1.0.0' });
    world.unconfigured = ['eu'];
    const { things } = await world.perform('prune', {});
    expect(things.find(({ name }) => name === '1.0.0')).toMatchObject({ kept: true, reason: 'it serves in eu' });
    expect(world.registry.map(({ digest }) => digest.slice(-1))).toContain('1');
  });

  test('leaves the registry alone where a host may know more than this state', async () => {
    const world = await releasedWorld();
    world.place().silent.add('prod-1');
    const { failed } = await world.perform('prune', {});
    expect(failed).toContainEqual({
      place: 'registry',
      reason: 'left alone, and so are images of machines: prod-1 may know more than this state',
    });
    expect(world.registry).toHaveLength(12);

    const serving = await fullWorld();
    serving.registry = [{ repository: versionOf(1).repository, digest: versionOf(1).digest, bytes: 10 }];
    serving.place().fence = undefined;
    expect((await serving.perform('prune', {})).failed.map(({ place }) => place)).toEqual(['registry']);
  });

  test('clears it although a host with nothing but an accessory was never told what is recorded', async () => {
    const hosts = [...onHosts().hosts, hostWith('db-1')];
    const world = await worldOf(onHosts({ hosts }), '1.0.0', '2.0.0');
    world.place().untold.add('db-1');
    const { outcome, failed } = await world.perform('prune', {});
    expect([outcome, failed]).toEqual(['nothing to do', []]);
    world.place().untold.add('prod-2');
    expect((await world.perform('prune', {})).failed.map(({ place }) => place)).toEqual(['registry']);
  });

  test('says that a registry allows no deletion, which is no failure', async () => {
    const world = await releasedWorld();
    world.deletes = false;
    const { failed, notes, freed } = await world.perform('prune', {});
    expect([failed, freed]).toEqual([[], 0]);
    expect(notes).toEqual(['registry.example.com/shop does not allow deletion: what is needed no more stays there']);
    expect(world.registry).toHaveLength(12);
  });

  test('clears the hosts where the registry does not answer, and names it', async () => {
    const world = await fullWorld();
    world.fail('storage.inRegistry', new LockageError('cannot reach the registry'));
    world.fail('storage.inRegistry', new LockageError('cannot reach the registry'), 2);
    const { failed } = await world.perform('prune', {});
    expect(failed).toEqual([{ place: 'registry', reason: 'cannot reach the registry' }]);
    expect(imagesOn(world, 'prod-1')).toEqual(['3', '4', '5', '6', '7']);
  });

  test('removes images of machines that none is made from, and no shared one', async () => {
    const world = await worldOf(onMachines(), '1.0.0');
    const made = { kind: 'lxc', builder: 'anna@desk', createdAt: '2026-01-01' } as const;
    world.images = ['first', 'old', 'both', 'new'].map((name, at) => ({
      ...made,
      version: `1.${at}.0`,
      digest: `sha256:${name}`,
    }));
    world.cache = ['first', 'old', 'both', 'new', 'theirs'].map((name) => ({
      digest: `sha256:${name}`,
      bytes: 7,
      shared: name === 'both',
    }));
    const { freed } = await world.perform('prune', {});
    expect(world.cache.map(({ digest }) => digest)).toEqual([
      ...['sha256:first', 'sha256:both', 'sha256:new', 'sha256:theirs'],
    ]);
    expect(freed).toBe(7);
  });
});
