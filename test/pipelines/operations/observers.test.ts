import { describe, expect, test } from 'vitest';
import { isRefusal, LockageError } from '../../../pipelines/errors.ts';
import type { Observers, OperationEnd } from '../../../pipelines/operations/observers.ts';
import { perform, type OperationName, type RequestOf } from '../../../pipelines/operations/perform.ts';
import { release } from '../model/values.ts';
import type { MemoryWorld } from './memory-world.ts';
import { onHosts, worldOf } from './situations.ts';

const environment = 'prod';
const promote = { environment, version: '3.0.0', reason: 'sale' };
const back = { environment, startedAt: 0 };

/** Notes what it is told, and refuses at one point. */
class Listener implements Observers {
  readonly points: string[] = [];
  readonly ends: OperationEnd[] = [];
  readonly facts: object[] = [];
  readonly #refuses: string;
  #known: object = {};

  constructor(refuses = '') {
    this.#refuses = refuses;
  }

  async begin(facts: object): Promise<void> {
    this.#note('begin', facts);
  }

  async reach(point: string, facts: object): Promise<void> {
    this.#note(point, facts);
  }

  know(facts: object): void {
    this.#known = { ...this.#known, ...facts };
  }

  async end(end: OperationEnd): Promise<void> {
    this.ends.push({ ...this.#known, ...end });
  }

  #note(point: string, facts: object): void {
    this.points.push(point);
    this.facts.push(facts);
    if (point === this.#refuses) throw new LockageError(`${point} says no`);
  }
}

const told = async <Name extends OperationName>(
  world: MemoryWorld,
  observers: Observers,
  name: Name,
  request: RequestOf<Name>,
): Promise<unknown> => {
  world.moments = [];
  return perform({ ...world.context(), observers }, name, request).then(
    () => undefined,
    (error: unknown) => error,
  );
};

describe('observers', () => {
  test('hear of a promotion: what is to come, and how it ended', async () => {
    const [world, listener] = [await worldOf(onHosts(), '1.0.0', '2.0.0'), new Listener()];
    expect(await told(world, listener, 'promote', promote)).toBeUndefined();
    expect(listener.points).toEqual(['begin', 'pre-deploy']);
    expect(listener.facts[0]).toMatchObject({ operation: 'promote', ...promote, hosts: ['prod-1', 'prod-2'] });
    expect(listener.facts[1]).toMatchObject({ release: release('3.0.0'), previous: release('2.0.0') });
    expect(listener.ends).toMatchObject([{ outcome: 'done', revision: 3, release: { version: '3.0.0' } }]);
  });

  test.each(['begin', 'pre-deploy'])('that refuse at %s change nothing that serves', async (point) => {
    const [world, listener] = [await worldOf(onHosts(), '1.0.0', '2.0.0'), new Listener(point)];
    const before = world.state();
    const error = await told(world, listener, 'promote', promote);
    expect(isRefusal(error)).toBe(true);
    expect(world.state()).toBe(before);
    expect(listener.ends.map(({ outcome }) => outcome)).toEqual(point === 'begin' ? [] : ['refused']);
    // Nobody is locked out by it either.
    expect(await told(world, new Listener(), 'promote', promote)).toBeUndefined();
  });

  test.each<[OperationName, object]>([
    ['rollback', back],
    ['heal', { environment }],
  ])('cannot keep %s from putting back what was recorded', async (name, request) => {
    const [world, listener] = [await worldOf(onHosts(), '1.0.0', '2.0.0'), new Listener('pre-deploy')];
    expect(await told(world, listener, name, request as RequestOf<typeof name>)).toBeUndefined();
    expect(listener.points).toEqual(['begin']);
  });

  test('hear that a release is to be built, and was made', async () => {
    const [world, listener] = [await worldOf(onHosts()), new Listener()];
    expect(await told(world, listener, 'release', { version: '4.0.0' })).toBeUndefined();
    expect(listener.points).toEqual(['begin', 'pre-build']);
    expect(listener.ends).toMatchObject([{ outcome: 'done', release: { version: '4.0.0' } }]);
    const refused = new Listener('pre-build');
    expect(isRefusal(await told(world, refused, 'release', { version: '5.0.0' }))).toBe(true);
    expect(world.releases.some(({ version }) => version === '5.0.0')).toBe(false);
  });

  test('hear of a failure in the words of the operator’s error, without a secret', async () => {
    const [world, listener] = [await worldOf(onHosts(), '1.0.0', '2.0.0'), new Listener()];
    world.fail('stacks.deploy', new Error(`no place for ${world.secret}`));
    await told(world, listener, 'promote', promote);
    expect(listener.ends).toMatchObject([{ outcome: 'rolled back', operation: 'promote', environment }]);
    expect(listener.ends[0]?.message).toContain('no place');
    expect(JSON.stringify(listener.ends)).not.toContain(world.secret);
  });

  test('are told that a plan was only shown, and that nothing was to be done', async () => {
    const [world, listener] = [await worldOf(onHosts(), '1.0.0', '2.0.0'), new Listener('pre-deploy')];
    expect(await told(world, listener, 'promote', { ...promote, planOnly: true })).toBeUndefined();
    expect(await told(world, listener, 'promote', { ...promote, version: '2.0.0' })).toBeUndefined();
    expect(listener.ends).toMatchObject([{ outcome: 'unchanged', isTrial: true }, { outcome: 'unchanged' }]);
  });
});
