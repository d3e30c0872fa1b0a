import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Fleet } from '../../support/simulation/fleet.ts';
import { commands, hands, Model, type CommandStep, type HandStep, type Step } from '../../support/simulation/model.ts';

/** Carries out steps on a fleet, and makes it well in the end. Returns what does not hold after one of them. */
async function problemsOf(steps: readonly Step[]): Promise<string[]> {
  const fleet = await Fleet.start();
  try {
    const model = await Model.start(fleet);
    for (const step of steps) {
      const problems = await model.carryOut(step);
      if (problems.length > 0) return problems;
    }
    return await model.makeWell();
  } finally {
    fleet.close();
  }
}

const keysOf = <Key extends string>(record: Readonly<Record<Key, unknown>>) => Object.keys(record) as Key[];
const kinds = ['killed before', 'killed after', 'answer lost', 'connection broken', 'interrupted', 'asleep'] as const;
const fault = fc.record({ kind: fc.constantFrom(...kinds), at: fc.integer({ min: 1, max: 40 }) });
const command: fc.Arbitrary<CommandStep> = fc
  .record({
    words: fc.constantFrom(...keysOf(commands)),
    who: fc.constantFrom('anna' as const, 'bert' as const),
    fault: fc.option(fault, { nil: undefined }),
    meanwhile: fc.constantFrom(...keysOf(commands)),
  })
  .map(({ fault: each, meanwhile, ...rest }) =>
    each ? { ...rest, fault: each, ...(each.kind === 'asleep' ? { meanwhile } : {}) } : rest,
  );
const hand: fc.Arbitrary<HandStep> = fc.record({ hand: fc.constantFrom(...keysOf(hands)) });
const steps = fc.array(fc.oneof({ weight: 3, arbitrary: command }, { weight: 1, arbitrary: hand }), { maxLength: 6 });

test('who wakes up in the middle of a removal does not take away what another one has brought back', async () => {
  // It has looked whether the container runs, and is about to stop it.
  const at = (call: string, before: readonly string[]) =>
    /^GET .*-web-.*\/json$/.test(call) && before.some((each) => each.startsWith('DELETE /containers/'));
  const asleep = { kind: 'asleep', at } as const;
  const step: Step = { words: 'promote 3.0.0', who: 'anna', fault: asleep, meanwhile: 'promote 1.0.0' };
  expect(await problemsOf([step])).toEqual([]);
});

test('a repair of what a broken rollback left does not say that all is as before', async () => {
  const bert = (words: CommandStep['words'], kind: (typeof kinds)[number], at: number) =>
    ({ words, who: 'bert', fault: { kind, at } }) as const;
  const sequence = [
    bert('rollback', 'connection broken', 22),
    bert('adopt', 'interrupted', 40),
    bert('promote 2.0.0', 'answer lost', 22),
    { ...bert('promote 3.0.0', 'asleep', 31), meanwhile: 'resume' } as const,
  ];
  expect(await problemsOf(sequence)).toEqual([]);
});

/** The same few sequences each time, so that nobody's change fails on chance; `LOCKAGE_FLEET_SECONDS=3600` looks for others. */
const seconds = Number(process.env['LOCKAGE_FLEET_SECONDS'] ?? 0);
const chosen = seconds > 0 ? { numRuns: 10_000 } : { numRuns: 5, seed: 1 };

test(
  'whatever two operators and hosts do, real adapters, provider and edges keep the promises, and all can be made well',
  async () => {
    const end = performance.now() + (seconds || 600) * 1000;
    const property = fc.asyncProperty(steps, async (all) => {
      if (performance.now() < end) expect(await problemsOf(all)).toEqual([]);
    });
    await fc.assert(property, chosen);
  },
  (seconds + 600) * 1000,
);
