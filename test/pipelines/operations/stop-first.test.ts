import { describe, expect, test } from 'vitest';
import type { Role } from '../../../pipelines/model/environment.ts';
import { environment as environmentOf, host, release, role } from '../model/values.ts';
import { MemoryWorld } from './memory-world.ts';

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
