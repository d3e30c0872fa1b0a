import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { LockageError } from '../../../pipelines/errors.ts';
import type { DesiredState, PlacedContainer } from '../../../pipelines/model/desired-state.ts';
import { currentRevision, sameContainers } from '../../../pipelines/model/ledger.ts';
import {
  broken,
  carriedOut,
  cordoned,
  onHosts,
  planned,
  plannedBack,
  released,
  scene,
  uncordoned,
  wentBack,
  type Scene,
} from './scene.ts';

/** Something that happens to an environment; what is refused changes nothing. */
type Event = (now: Scene) => Scene;

const orRefused =
  (event: Event): Event =>
  (now) => {
    try {
      return event(now);
    } catch (error) {
      if (error instanceof LockageError) return now;
      throw error;
    }
  };

const versions = ['1.0.0', '2.0.0', '3.0.0', '4.0.0'];
const releasing = fc.constantFrom(...versions).map(
  (version): Event =>
    (now) =>
      released(now, version),
);
const goingBack = fc.option(fc.constantFrom(...versions), { nil: undefined }).map(
  (to): Event =>
    (now) =>
      wentBack(now, to),
);
const repairing = fc.constant<Event>((now) => {
  const { version } = currentRevision(now.record.ledger)?.release ?? { version: '1.0.0' };
  return carriedOut(now, planned(broken(now, 'web'), version));
});
const growing = fc.constantFrom<Event>(
  (now) => onHosts(now, ['prod-1', 'prod-2']),
  (now) => onHosts(now, ['prod-1', 'prod-2', 'prod-3']),
);
const cordoning = fc.constantFrom<Event>(
  (now) => cordoned(now, 'prod-2'),
  (now) => uncordoned(now, 'prod-2'),
);
const start = fc.integer({ min: 0, max: 3 }).map((standby) => scene(['prod-1', 'prod-2'], { standby }));
const historyOf = (...kinds: fc.Arbitrary<Event>[]) =>
  fc
    .tuple(start, fc.array(fc.oneof(...kinds), { maxLength: 8 }))
    .map(([from, events]) => events.reduce((now, event) => orRefused(event)(now), released(from, '1.0.0')));
const plain = historyOf(releasing, goingBack);
const lively = historyOf(releasing, goingBack, repairing, growing, cordoning);

const holds = <T>(history: fc.Arbitrary<T>, property: (value: T) => void) =>
  fc.assert(fc.property(history, property), { numRuns: 40 });
const names = (containers: readonly PlacedContainer[]) =>
  containers.map(({ host, spec }) => `${host.name}/${spec.name}`);

test('what runs is unchanged, whatever came before', () => {
  holds(plain, (now) => {
    const version = currentRevision(now.record.ledger)?.release.version ?? '';
    expect(planned(now, version).unchanged).toBe(true);
  });
});

test('every container that exists serves, stands by or is removed: once', () => {
  holds(fc.tuple(lively, fc.constantFrom(...versions)), ([now, version]) => {
    const { desired, plan } = planned(now, version);
    const removed = plan.containers
      .filter(({ action }) => action === 'remove')
      .map(({ host, name }) => `${host}/${name}`);
    const all = [...names(desired.serving), ...names(desired.standby), ...removed];
    expect(new Set(all).size).toBe(all.length);
    for (const name of names(now.record.containers)) expect(all).toContain(name);
  });
});

test('rollbacks one after the other never return to what was rolled back from', () => {
  holds(plain, (now) => {
    const left = [];
    for (let at = now; at !== orRefused(wentBack)(at); at = wentBack(at)) {
      left.push(currentRevision(at.record.ledger));
      const { revision } = plannedBack(at);
      for (const before of left) expect(before && sameContainers(before, revision)).toBe(false);
    }
  });
});

test('a cordoned host serves in no plan', () => {
  const away = lively.map((now) => cordoned(now, 'prod-2'));
  holds(fc.tuple(away, fc.constantFrom(...versions)), ([now, version]) => {
    expect(hostsOf(planned(now, version).desired)).not.toContain('prod-2');
    const back = orRefused((at) => carriedOut(at, plannedBack(at)))(now);
    if (back !== now) expect(hostsOf(plannedBack(now).desired)).not.toContain('prod-2');
  });
});

test('what is on a cordoned host stays recorded', () => {
  holds(lively, (now) => {
    const away = cordoned(now, 'prod-2');
    const there = names(away.record.containers).filter((name) => name.startsWith('prod-2/'));
    expect(names(released(away, '4.0.0').record.containers)).toEqual(expect.arrayContaining(there));
  });
});

test('numbers of revisions only grow', () => {
  holds(lively, ({ record }) => {
    const numbers = record.ledger.revisions.map(({ number }) => number);
    expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b));
  });
});

function hostsOf({ serving, fallback, verify, wake }: DesiredState): string[] {
  return [...serving, ...fallback, ...verify, ...wake].map(({ host }) => host.name);
}
