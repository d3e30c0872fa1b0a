import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { InterruptedError, isRefusal, RolledBackError } from '../../../pipelines/errors.ts';
import { currentRevision, type EnvironmentRecord } from '../../../pipelines/model/ledger.ts';
import type { OperationName, RequestOf } from '../../../pipelines/operations/perform.ts';
import { lastNumber } from '../../../pipelines/model/fence.ts';
import { canFail, failureAt } from './failure-at.ts';
import { KilledError, type MemoryWorld } from './memory-world.ts';
import { errorOf, everywhere, onHosts, worldOf } from './situations.ts';

const environment = 'prod';

/** A command, and what becomes of it at one of its moments. */
interface Command {
  readonly words: string;
  readonly run: (world: MemoryWorld) => Promise<Error | undefined>;
  readonly fault: { readonly kind: 'none' | 'failure' | 'interruption' | 'kill'; readonly at: number };
}

/** Something that is done by hand, to the hosts or to the folder of the state. */
interface Handiwork {
  readonly words: string;
  readonly act: (world: MemoryWorld, seen: Seen) => void;
}

/** What the model knows beside the world itself. */
interface Seen {
  /** a copy of the state, taken at some time */
  copy: EnvironmentRecord | undefined;
  /** the newest state, while an older one is in its place */
  newest: EnvironmentRecord | undefined;
  /** somebody took a container away, and no promotion has been since */
  damaged: boolean;
}

type Step = Command | Handiwork;

const command =
  <Name extends OperationName>(name: Name, request: RequestOf<Name>) =>
  (world: MemoryWorld) =>
    errorOf(world, name, request);

const host = 'prod-2';
const smoke = { name: 'smoke', command: ['true'], env: {}, secrets: [], timeout: 1000, retries: 0 };
const commands: Readonly<Record<string, Command['run']>> = {
  'promote 1.0.0': command('promote', { environment, version: '1.0.0' }),
  'promote 2.0.0': command('promote', { environment, version: '2.0.0' }),
  'promote 3.0.0': command('promote', { environment, version: '3.0.0' }),
  rollback: command('rollback', { environment, startedAt: 0 }),
  'rollback --to 1.0.0': command('rollback', { environment, startedAt: 0, to: '1.0.0' }),
  'rollback --drill': command('drill', { environment, startedAt: 0 }),
  resume: command('resume', { environment }),
  'host cordon': command('cordon', { environment, host }),
  'host uncordon': command('uncordon', { environment, host }),
  destroy: command('destroy', { environment, withData: false }),
  archive: command('archive', { environment, withData: false }),
  adopt: command('adopt', { environment }),
  verify: command('verify', { environment }),
};

const nothing: Command['run'] = async () => undefined;

const handiwork: readonly Handiwork[] = [
  {
    words: 'docker stop',
    act: (world, seen) =>
      damage(world, seen, (containers) => [...containers.values()].slice(-1).forEach((each) => (each.running = false))),
  },
  {
    words: 'docker rm -f',
    act: (world, seen) =>
      damage(world, seen, (containers) => [...containers.keys()].slice(-1).forEach((each) => containers.delete(each))),
  },
  { words: 'cp state', act: (world, seen) => void (seen.copy = world.place().known()) },
  {
    words: 'an older state',
    act: (world, seen) => {
      if (!seen.copy) return;
      seen.newest ??= world.place().known();
      world.place().restore(seen.copy);
    },
  },
];

type Containers = ReturnType<ReturnType<MemoryWorld['place']>['engine']>['containers'];

function damage(world: MemoryWorld, seen: Seen, act: (containers: Containers) => void): void {
  const { containers } = world.place().engine('prod-1');
  if (containers.size === 0) return;
  act(containers);
  seen.damaged = true;
}

const fault = fc.record({
  kind: fc.constantFrom<Command['fault']['kind']>('none', 'none', 'failure', 'interruption', 'kill'),
  at: fc.integer({ min: 1, max: 60 }),
});
const commanding: fc.Arbitrary<Step> = fc
  .record({ name: fc.constantFrom(...Object.keys(commands)), fault })
  .map(({ name, fault: each }) => ({ words: name, run: commands[name] ?? nothing, fault: each }));
const steps = fc.array(
  fc.oneof({ weight: 4, arbitrary: commanding }, { weight: 1, arbitrary: fc.constantFrom<Step>(...handiwork) }),
  {
    maxLength: 9,
  },
);

/** What a port throws, as its contract says; a kill ends the operator's program there. */
function befall(world: MemoryWorld, { kind, at }: Command['fault']): void {
  if (kind === 'none') return;
  world.atMoment(at, () => {
    if (kind === 'kill') world.kill();
    const moment = world.moments.at(-1) ?? '';
    if (!canFail(moment)) return;
    if (kind === 'interruption') world.interrupt();
    throw kind === 'interruption' ? new Error('This operation was aborted') : failureAt(moment);
  });
}

/** Runs a command, and asks for all that has to hold then. */
async function carryOut(world: MemoryWorld, { words, run, fault: each }: Command, seen: Seen): Promise<void> {
  const place = world.place();
  const [was, serves, answers] = [world.state(), working(place), place.answers()];
  const isBehind = lastNumber(place.known().ledger) < (place.fence?.recorded ?? 0);
  // Nothing that hosts know is missing in it: from here on it is the newest.
  if (!isBehind) seen.newest = undefined;
  befall(world, each);
  const { archives } = world;
  const error = await run(world);
  world.calm();
  const removes = words === 'destroy' || words === 'archive';
  // What was half removed is removed by the same command, and is nothing to work on.
  const isBegun = words === 'destroy' || (words === 'archive' && world.archives !== archives);
  if (isBegun && error) expect(await run(world)).toBeUndefined();
  const mayMove = words === 'adopt' || words === 'destroy';
  if (isBehind && !mayMove) expect(world.state(), 'an older state changes nothing').toBe(was);
  if (error === undefined) {
    if (words === 'adopt' || removes) seen.newest = undefined;
    if (words.startsWith('promote')) {
      seen.damaged = false;
      expect(activeOf(place), 'what was promoted serves').toEqual(everywhere(words.slice(8), activeHosts(world)));
    }
  } else if (error instanceof KilledError || (removes && isBegun)) {
    // Nobody is left to say what is true.
  } else if (error instanceof RolledBackError || error instanceof InterruptedError) {
    // What was stopped by hand may run again.
    const before = withoutLeft(serves);
    const same = seen.damaged ? expect.arrayContaining(before) : before;
    const now = working(place);
    expect(withoutLeft(now), `exit code 3 of ${words}: ${error.message}`).toEqual(same);
    if (!seen.damaged) expect(serves).toEqual(expect.arrayContaining(now));
  } else if (isRefusal(error)) {
    expect(world.state(), `exit code 2 of ${words}: ${error.message}`).toBe(was);
  }
  if (!(error instanceof KilledError)) expect([...place.locks.keys()]).toEqual([]);
  if (!removes && !seen.damaged) expectAnswered(answers, place.answers());
}

/** Routes to what is gone again are answered as if there were none. */
const working = (place: ReturnType<MemoryWorld['place']>) =>
  place.serves().filter((each) => !each.endsWith(' nothing'));
/** A worker of another release than its host serves was left by an operator that was killed, and may go with the next command. */
const withoutLeft = (all: readonly string[]) =>
  all.filter((each) => {
    const [on = '', role = '', version = ''] = each.split(' ');
    const served = all.filter((other) => other.startsWith(`${on} web `));
    return role !== 'worker' || served.length === 0 || served.includes(`${on} web ${version}`);
  });
const lostEnds = (answers: readonly string[]) => answers.filter((each) => each.endsWith(' nothing'));

/** Whoever was answered before is answered now. */
function expectAnswered(before: readonly string[], now: readonly string[]): void {
  if (before.length === 0 || lostEnds(before).length > 0) return;
  expect(lostEnds(now)).toEqual([]);
  expect(now.length).toBeGreaterThanOrEqual(before.length);
}

const activeHosts = (world: MemoryWorld) => {
  const away = (world.place().record.ledger.cordons ?? []).map((each) => each.host);
  return ['prod-1', 'prod-2'].filter((name) => !away.includes(name));
};
const activeOf = (place: ReturnType<MemoryWorld['place']>) => {
  const away = (place.record.ledger.cordons ?? []).map((each) => each.host);
  // What could not be cleared up works on until the next promotion.
  return [...new Set(place.serves())].filter((each) => !away.includes(each.split(' ')[0] ?? ''));
};

/** Whatever was before: with these commands all is well again, and nothing is left. */
async function expectGoodEnd(world: MemoryWorld, seen: Seen): Promise<void> {
  const place = world.place();
  if (seen.newest) place.restore(seen.newest);
  const undo = ['resume', 'host uncordon', 'promote 3.0.0'].map((words) => commands[words] ?? nothing);
  for (const run of undo) expect(await run(world)).toBeUndefined();
  expect(place.serves()).toEqual(everywhere('3.0.0'));
  expect(currentRevision(place.record.ledger)?.release.version).toBe('3.0.0');
  const recorded = place.record.containers.map((each) => `${each.host.name}/${each.spec.name}`);
  // A standby that somebody removed is made again when it is needed.
  expect(recorded).toEqual(expect.arrayContaining(place.present()));
}

/** The same hundred each time, so that nobody's change fails on chance; `LOCKAGE_SEQUENCES=5000` looks for others. */
const sequences = process.env['LOCKAGE_SEQUENCES'];
const chosen = sequences === undefined ? { numRuns: 100, seed: 1 } : { numRuns: Number(sequences) };
const minutes = 10 * 60_000;

test(
  'whatever is done in whatever order, the promises hold, and all can be made well again',
  async () => {
    const start = await worldOf(onHosts({ verification: [smoke] }), '1.0.0');
    const named = steps.map((each) =>
      each.map((step) => Object.assign(step, { [fc.toStringMethod]: () => nameOf(step) })),
    );
    await fc.assert(
      fc.asyncProperty(named, async (all) => {
        const world = start.copy();
        const seen: Seen = { copy: undefined, newest: undefined, damaged: false };
        for (const step of all) {
          if ('act' in step) step.act(world, seen);
          else await carryOut(world, step, seen);
        }
        await expectGoodEnd(world, seen);
      }),
      chosen,
    );
  },
  minutes,
);

const nameOf = (step: Step) =>
  'act' in step || step.fault.kind === 'none'
    ? step.words
    : `${step.words} with a ${step.fault.kind} at ${step.fault.at}`;
