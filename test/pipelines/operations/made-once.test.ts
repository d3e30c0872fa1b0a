import { describe, expect, test } from 'vitest';
import { LockageError } from '../../../pipelines/errors.ts';
import type { MemoryWorld } from './memory-world.ts';
import { deed, onHosts, onMachines } from './situations.ts';

describe('a release', () => {
  const silent = new LockageError('the registry does not answer');
  const release = deed([onHosts()], 'release', { version: '4.0.0' });
  const versions = (world: MemoryWorld) => world.releases.map(({ version }) => version);

  test.each(['builder.tree', 'registry.tagged', 'builder.build', 'builder.push'])(
    'is not recorded when %s fails',
    async (moment) => {
      const world = await release.prepare();
      world.fail(moment, silent);
      expect(await release.perform(world)).toBe(silent);
      expect(versions(world)).toEqual(['1.0.0', '2.0.0', '3.0.0']);
    },
  );

  test('whose image was pushed, but not recorded, is recorded by the same command', async () => {
    const world = await release.prepare();
    world.fail('records.addRelease', silent);
    await release.perform(world);
    world.calm();
    expect(await release.perform(world)).toBeUndefined();
    expect(versions(world)).toEqual(['1.0.0', '2.0.0', '3.0.0', '4.0.0']);
    expect(world.calls.filter((each) => each === 'builder.push')).toEqual([]);
  });

  test('is not pushed over what somebody else pushed', async () => {
    const world = await release.prepare();
    world.tags.set('4.0.0', `sha256:${'f'.repeat(64)}`);
    expect(await release.perform(world)).toMatchObject({
      message: 'registry.example.com/shop:4.0.0 exists in the registry and is not a recorded release',
    });
  });

  test('is made of what is committed', async () => {
    const world = await release.prepare();
    world.tree = { commit: 'c1', changes: ['app.ts'] };
    expect(await release.perform(world)).toMatchObject({ message: 'there are uncommitted changes' });
    expect(world.calls).not.toContain('builder.build');
  });
});

describe('images of machines', () => {
  const build = (version?: string) =>
    deed([onMachines()], 'buildMachineImages', version === undefined ? {} : { version });
  const versions = (world: MemoryWorld) => world.images.map(({ version }) => version);

  test('get the next version', async () => {
    const world = await build().prepare();
    expect(await build().perform(world)).toBeUndefined();
    expect(versions(world)).toEqual(['1.0.0', '1.1.0', '1.2.0']);
  });

  test('never change once they are built', async () => {
    const world = await build('1.1.0').prepare();
    expect(await build('1.1.0').perform(world)).toMatchObject({
      message: 'there is an image 1.1.0 of lxc machines already',
    });
    expect(world.calls).not.toContain('machines.build');
  });

  test('are built where an environment makes machines', async () => {
    const world = await deed([onHosts()], 'buildMachineImages', {}).prepare();
    expect(await build().perform(world)).toMatchObject({ message: 'no environment makes machines of its own' });
  });
});
