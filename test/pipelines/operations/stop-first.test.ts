import { describe, expect, test } from 'vitest';
import { BrokenError, LockageError, RolledBackError } from '../../../pipelines/errors.ts';
import type { Role } from '../../../pipelines/model/environment.ts';
import { environment as environmentOf, host, release, role } from '../model/values.ts';
import { MemoryWorld } from './memory-world.ts';
import { errorOf } from './situations.ts';

const environment = 'prod';
const request = { environment, startedAt: 0 };
const { route: _, ...withoutRoute } = role({ name: 'worker' });
const alone: Role = role({ name: 'alone', replace: 'stop-first' });

/** A world where these releases came in one after the other. */
async function worldWith(roles: readonly Role[], ...versions: readonly string[]): Promise<MemoryWorld> {
  const world = new MemoryWorld([environmentOf({ hosts: [host('prod-1')], roles })]);
  world.releases = versions.map((version) => release(version));
  world.versions = { TOKEN: 'abc' };
  for (const version of versions) await world.perform('promote', { version, environment });
  return world;
}

describe('a promotion with which two at once begin to be wrong', () => {
  test('that fails starts again what had to end, also what is kept to go back to', async () => {
    const before = await worldWith([role(), withoutRoute], '1.0.0', '2.0.0');
    const world = new MemoryWorld([
      environmentOf({ hosts: [host('prod-1')], roles: [role({ replace: 'stop-first' }), withoutRoute] }),
    ]);
    world.place().become(before.place());
    [world.audit.lines, world.audit.newest] = [before.audit.lines, before.audit.newest];
    world.releases = [...before.releases, release('3.0.0')];
    const { containers } = world.place().engine('prod-1');
    const running = () => [...containers].filter(([, each]) => each.running).map(([name]) => name);
    const served = running();
    world.at('stacks.deploy switched', () => {
      for (const { placed } of containers.values())
        if (placed.spec.role === 'web') world.place().run(placed, placed.spec.version === '3.0.0');
      throw new LockageError('web 3.0.0 was not healthy');
    });
    const error = await errorOf(world, 'promote', { version: '3.0.0', environment });
    expect(error).toBeInstanceOf(RolledBackError);
    expect(running().toSorted()).toEqual(served.toSorted());
    expect(served.filter((name) => name.includes('web'))).toHaveLength(2);
  });
});

describe('a rollback of a role with traffic of which two at once are wrong', () => {
  test('has the secrets and the image of what it makes again beside it', async () => {
    const world = await worldWith([alone, { ...withoutRoute, secrets: ['TOKEN'] }], '1.0.0', '2.0.0');
    const { plan } = await world.perform('rollback', request);
    expect(plan?.notes.join()).not.toMatch(/switch/);
    const asked = world.calls.filter((call) => ['secrets.recall', 'hosts.pull', 'stacks.deploy'].includes(call));
    expect(asked).toEqual(['secrets.recall', 'hosts.pull', 'stacks.deploy']);
    expect(world.notes.join()).toMatch(/made again of 1\.0\.0: worker;/);
    expect(world.notes.join()).not.toMatch(/no standby/);
  });

  test('needs neither where all of it starts as it is', async () => {
    const world = await worldWith([{ ...alone, secrets: ['TOKEN'] }], '1.0.0', '2.0.0');
    await world.perform('rollback', request);
    expect(world.calls).not.toContain('secrets.recall');
    expect(world.calls).not.toContain('hosts.pull');
  });
});

test('a rollback starts other workers where one that must end first does not, and nothing beside that', async () => {
  const roles = [role(), withoutRoute, { ...withoutRoute, name: 'single', replace: 'stop-first' as const }];
  const world = await worldWith(roles, '1.0.0', '2.0.0');
  const working = () => world.place().serves();
  expect(working()).toEqual(['prod-1 single 2.0.0', 'prod-1 web 2.0.0', 'prod-1 worker 2.0.0']);
  world.fail('hosts.startAndStop', new LockageError('prod-1: cannot stop single'), 2);
  let during: readonly string[] = [];
  world.at('stacks.deploy', () => (during = working()));
  const error = await errorOf(world, 'rollback', request);
  expect(error).toBeInstanceOf(BrokenError);
  expect(error).toMatchObject({ details: ['prod-1: cannot stop single'] });
  expect(during).toEqual(['prod-1 single 2.0.0', 'prod-1 web 1.0.0', 'prod-1 worker 1.0.0']);
  world.calm();
  expect(await world.perform('rollback', request)).toMatchObject({ outcome: 'finished' });
  expect(working()).toEqual(['prod-1 single 1.0.0', 'prod-1 web 1.0.0', 'prod-1 worker 1.0.0']);
});
