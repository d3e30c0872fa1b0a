import { afterEach, beforeEach, expect, test } from 'vitest';
import { BrokenError } from '../../../../pipelines/errors.ts';
import { drillEach } from '../../../../scripts/cli/commands/drill.ts';
import type { CommandContext } from '../../../../scripts/cli/open-context.ts';
import { release } from '../../../pipelines/model/values.ts';
import { MemoryWorld } from '../../../pipelines/operations/memory-world.ts';
import { onHosts } from '../../../pipelines/operations/situations.ts';

let codeBefore: typeof process.exitCode;
beforeEach(() => (codeBefore = process.exitCode));
afterEach(() => (process.exitCode = codeBefore));

/** Where three environments have something to go back to; and what a drill of all of them shows. */
async function drillOfAll(prepare: (world: MemoryWorld) => void) {
  const names = ['qa', 'uat', 'prod'];
  const world = new MemoryWorld(names.map((name) => onHosts({ name })));
  world.releases = ['1.0.0', '2.0.0'].map((version) => release(version));
  for (const environment of names)
    for (const version of ['1.0.0', '2.0.0']) await world.perform('promote', { environment, version });
  [world.moments, world.calls] = [[], []];
  prepare(world);
  const shown: unknown[] = [];
  const known = world.context();
  const terminal = { ...known.terminal, result: (value: unknown) => void shown.push(value) };
  const context = { ...known, terminal } as unknown as CommandContext;
  await drillEach(context, context.project.environments, { all: true });
  return { shown, code: process.exitCode };
}

const stop = (world: MemoryWorld) => () => {
  world.interrupt();
  throw new Error('This operation was aborted');
};

test('a drill of all that is stopped shows those before, and keeps the code of one that was broken', async () => {
  const { shown, code } = await drillOfAll((world) => {
    world.fail('stacks.deploy', new BrokenError('Pulumi could not change qa'));
    world.at('hosts.rehearse', stop(world), 2);
  });
  expect(shown).toMatchObject([
    {
      environments: [
        { environment: 'qa', outcome: 'failed', error: { code: 4 } },
        { environment: 'uat', outcome: 'failed', error: { code: 130 } },
        { environment: 'prod', outcome: 'not tried' },
      ],
    },
  ]);
  expect(code).toBe(4);
});

test.each([
  ['while one is drilled', 'hosts.rehearse', 2],
  ['while it reads what is recorded', 'records.environment', 5],
])('a drill of all that is stopped %s ends as interrupted', async (_when, moment, nth) => {
  const { shown, code } = await drillOfAll((world) => world.at(moment, stop(world), nth));
  expect(shown).toMatchObject([
    { environments: [{ outcome: 'proven' }, { outcome: 'failed' }, { outcome: 'not tried' }] },
  ]);
  expect(code).toBe(130);
});
