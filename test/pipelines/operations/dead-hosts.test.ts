import { describe, expect, test } from 'vitest';
import { LockageError, PartialError } from '../../../pipelines/errors.ts';
import { host, role } from '../model/values.ts';
import type { MemoryWorld } from './memory-world.ts';
import { errorOf, onHosts, onSwarm, worldOf } from './situations.ts';

const environment = 'prod';
const names = ['prod-1', 'prod-2', 'prod-3'];
const three = onHosts({ hosts: names.map(host), roles: [role({ hosts: names })] });

/** Two of three hosts do not answer: what asks all of those that stay fails. */
async function withTwoDead(): Promise<MemoryWorld> {
  const world = await worldOf(three, '1.0.0', '2.0.0');
  for (const name of ['prod-2', 'prod-3']) world.place().silent.add(name);
  world.fail('hosts.look', new LockageError('1 of 2 hosts of prod cannot be used'));
  world.fail('stacks.deploy', new PartialError('the routes did not switch on 1 of 2 hosts'));
  return world;
}

const cordon = (world: MemoryWorld, name: string) => errorOf(world, 'cordon', { environment, host: name });
const cordoned = (world: MemoryWorld) => world.place().record.ledger.cordons?.map((each) => each.host);

describe('a host that is dead is taken out of service while another one is dead, too', () => {
  test('and then that one, so that those that are left go on', async () => {
    const world = await withTwoDead();
    expect(await cordon(world, 'prod-2')).toBeUndefined();
    expect(cordoned(world)).toEqual(['prod-2']);
    world.calm();
    expect(await cordon(world, 'prod-3')).toBeUndefined();
    expect(await errorOf(world, 'promote', { environment, version: '3.0.0' })).toBeUndefined();
    expect(world.place().record.ledger.revisions.at(-1)).toMatchObject({ without: ['prod-2', 'prod-3'] });
  });

  test('also where an operation that was killed has claimed the hosts that are left', async () => {
    const world = await withTwoDead();
    world.place().fence = { revision: 3, operation: 'killed', recorded: 2 };
    expect(await cordon(world, 'prod-2')).toBeUndefined();
    expect(cordoned(world)).toEqual(['prod-2']);
  });
});

test.each([
  ['a host', onHosts()],
  ['a node of a swarm', onSwarm()],
])('%s in service is never forgotten', async (_, prod) => {
  const world = await worldOf(prod, '1.0.0');
  const error = await errorOf(world, 'removeHost', { environment, host: 'prod-2', gone: true });
  expect(error?.message).toBe('prod-2 is in service: only a cordoned host can be gone for good');
  expect(world.changes).toEqual([]);
});
