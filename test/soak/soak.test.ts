import { describe, expect, test } from 'vitest';
import { isPossible } from './by-hand.ts';
import { straysOf } from './inspect.ts';
import { failuresOf, isGood, wasAway, type Failure, type Journal, type Requests } from './journal.ts';
import { mixed, Random, rounds } from './random.ts';
import { stepLines } from './recorder.ts';
import { reportOf } from './report.ts';
import { stepsNamed } from './soak.ts';
import { nameOf } from './stage.ts';

const minute = 60_000;
const at = Date.UTC(2026, 0, 2, 3, 4, 5);

describe('the order of a soak', () => {
  const taken = (seed: number, count: number) => {
    const order = rounds(seed, [1, 2, 3, 4, 5]);
    return Array.from({ length: count }, () => order.next().value);
  };

  test('is that of its seed', () => {
    expect(taken(7, 50)).toEqual(taken(7, 50));
    expect(taken(7, 50)).not.toEqual(taken(8, 50));
  });

  test('has each step once in a round, and rounds that differ', () => {
    const [first, second] = [taken(7, 10).slice(0, 5), taken(7, 10).slice(5)];
    expect([first, second].map((round) => new Set(round).size)).toEqual([5, 5]);
    expect(first).not.toEqual(second);
  });

  test('lets what one step chooses change nothing for the next', () => {
    const choices = (number: number) => {
      const random = new Random(mixed(3, number));
      return [random.next(), random.pick(['a', 'b', 'c']), random.between(5, 10)];
    };
    expect(choices(1)).toEqual(choices(1));
    expect(choices(1)).not.toEqual(choices(2));
  });

  test('spreads its choices', () => {
    const random = new Random(1);
    const counts = [0, 0, 0, 0];
    for (let index = 0; index < 4000; index += 1) {
      const choice = random.between(0, 4);
      counts[choice] = (counts[choice] ?? 0) + 1;
    }
    for (const count of counts) expect(count).toBeGreaterThan(900);
    expect(() => random.pick([])).toThrow('there is nothing to choose from');
  });

  test('knows each step by a name of its own, and finds those that are asked for', () => {
    const names = stepsNamed().map(({ deed }) => deed.name);
    expect(new Set(names).size).toBe(names.length);
    expect(stepsNamed('power').map(({ kind }) => kind)).toEqual(['fault', 'fault', 'fault']);
    expect(stepsNamed('at once, drill of').map(({ deed }) => deed.name)).toEqual([
      'a drill of a rollback',
      'two operators at once',
    ]);
    expect(stepsNamed('no such step')).toEqual([]);
  });
});

describe('a failed request', () => {
  const failure = (kind: string, time: number, host = 'prod-1'): Failure => ({
    at: time,
    ...{ host, kind, count: 1, during: 'a promotion' },
  });
  const absences = [{ host: 'prod-1', why: 'its power was cut', from: at, to: at + minute }];

  test.each([
    ['while its host was away', failure('ECONNREFUSED', at + 1000), true],
    ['before that', failure('ECONNREFUSED', at - 1), false],
    ['some moments after, when it is seen', failure('ECONNREFUSED', at + minute + 500), true],
    ['later', failure('ECONNREFUSED', at + minute + 5000), false],
    ['later, that waited since then', failure('timeout', at + minute + 15_000), true],
    ['of another host', failure('ECONNREFUSED', at + 1000, 'prod-2'), false],
  ])('%s', (_when, failed, excused) => expect(wasAway(failed, absences)).toBe(excused));

  test('is excused while its host is away still', () => {
    expect(wasAway(failure('timeout', at + 500 * minute), [{ host: 'prod-1', why: 'x', from: at }])).toBe(true);
  });
});

const requests: Requests = {
  sent: 72_000,
  sentAway: 1200,
  failures: [
    { at: at + 100, host: 'prod-2', kind: 'ECONNREFUSED', count: 1150, during: 'the power of a host is cut' },
    { at: at + 5000, host: 'prod-1', kind: 'status 502', count: 3, during: 'a promotion' },
  ],
  absences: [{ host: 'prod-2', why: 'its power was cut', from: at, to: at + minute }],
  seconds: 1200,
};
const sizes = { containers: 16, volumes: 28, networks: 12, images: 12, state: 2e6 };
const room = { ...sizes, hosts: 3e8, registry: 9e7, engines: 4e8, available: 2e10 };
const good: Journal = {
  startedAt: at,
  ms: 20 * minute,
  ...{ minutes: 20, seed: 42, renewed: 0, lookedAgain: 2, stopped: false },
  machine: { cores: 2, model: 'A processor', memory: 8e9, kernel: '6.1.0', docker: '20.10.24' },
  steps: [
    { number: 1, name: 'a promotion', kind: 'operation', at, ms: 9000, wrong: [] },
    { number: 2, name: 'a promotion', kind: 'operation', at, ms: 11_000, wrong: [] },
    { number: 3, name: 'the power of a host is cut', kind: 'fault', at, ms: minute, wrong: [] },
  ],
  calls: [
    { name: 'promote', code: 0, ms: 8000 },
    { name: 'promote', code: 2, ms: 2000 },
    { name: 'promote', ms: 3000 },
  ],
  requests: { ...requests, failures: requests.failures.slice(0, 1) },
  sizes: { begin: room, end: { ...room, images: 15 } },
};
const bad: Journal = {
  ...good,
  requests,
  renewed: 1,
  steps: [
    ...good.steps,
    {
      ...{ number: 4, name: 'the state is lost, and adopted', kind: 'fault', at, ms: 5000 },
      wrong: [{ text: 'revision 7 is in no history', lost: 'records' }, { text: 'it is locked' }],
    },
  ],
};

describe('the report', () => {
  test('says how long, of what seed, on which machine, and that all of it held', () => {
    const report = reportOf(good);
    expect(isGood(good)).toBe(true);
    expect(report).toContain('20 min 0 s, from 2026-01-02 03:04 UTC');
    expect(report).toContain('`npm run soak -- --minutes 20 --seed 42`');
    expect(report).toContain('2 cores (A processor), 8.0 GB of memory, Linux 6.1.0, Docker 20.10.24');
    expect(report).toContain('**All of it held.**');
    expect(report).not.toContain('## Wrong');
    expect(report).toContain('| lost | nothing |');
  });

  test('has operations, faults and commands by kind, with how many, their median and longest time', () => {
    const report = reportOf(good);
    expect(report).toContain('| a promotion | 2 | 9.0 s | 11.0 s | 0 |');
    expect(report).toContain('| the power of a host is cut | 1 | 1 min 0 s | 1 min 0 s | 0 |');
    expect(report).toContain('| `promote` | 3 | 3.0 s | 8.0 s | 0 × 1, 2 × 1, killed × 1 |');
    expect(report).toContain('| images | 12 | 15 |');
  });

  test('counts the failures of hosts that were away apart', () => {
    const report = reportOf(good);
    expect(report).toContain('| requests that failed | 0 |');
    expect(report).toContain('| its power was cut | 1 | 1 min 0 s | 1,150 |');
    expect(failuresOf(requests)).toEqual(requests.failures.slice(1));
  });

  test('says each other failure with its moment and what was going on, and all that was wrong or lost', () => {
    const report = reportOf(bad);
    expect(isGood(bad)).toBe(false);
    expect(report).toContain('**Not all of it held.**');
    expect(report).toContain('| 03:04:10.000 | prod-1 | status 502 | 3 | a promotion |');
    expect(report).toContain('| lost | records (1) |');
    expect(report).toContain('- 03:04:05, step 4, the state is lost, and adopted:\n  - revision 7 is in no history\n');
  });

  test('says that it was stopped before its time', () => {
    expect(reportOf({ ...good, stopped: true })).toContain('stopped before its 20 minutes were over');
  });
});

describe('what is left on a host', () => {
  const recorded = new Map([['prod-1', ['trial-prod-web-a', 'trial-prod-worker-b']]]);
  const clean = {
    host: 'prod-1',
    containers: ['trial-prod-web-a', 'trial-prod-worker-b', 'trial-prod-edge', 'trial-prod-cache'],
    networks: ['bridge', 'host', 'none', 'trial-prod'],
    unused: [],
  };

  test('is nothing where all is as recorded', () => expect(straysOf(clean, recorded)).toEqual([]));

  test('is named, as a container, a network or a volume', () => {
    const found = { ...clean, containers: [...clean.containers, 'twin'], networks: ['x'], unused: ['trial-prod-lock'] };
    expect(straysOf(found, recorded).map(({ text }) => text)).toEqual([
      'prod-1 still has the containers twin',
      'prod-1 still has the networks x',
      'prod-1 still has the unused volumes trial-prod-lock',
    ]);
  });

  test('is unknown where a host did not answer, which is said already', () =>
    expect(straysOf(clean, new Map())).toEqual([]));

  test('and a container that is gone is lost', () => {
    expect(straysOf({ ...clean, containers: clean.containers.slice(1) }, recorded)).toEqual([
      { text: 'prod-1 has no trial-prod-web-a', lost: 'containers' },
    ]);
  });
});

test.each([
  [['promote', '1.0.0', '--to', 'prod', '--yes'], 'promote'],
  [['rollback', 'prod', '--drill'], 'rollback --drill'],
  [['host', 'cordon', 'prod-1', '--env', 'prod'], 'host cordon'],
  [['status', '--check'], 'status --check'],
])('%j is counted as %s', (words, name) => expect(nameOf(words)).toBe(name));

test('what is done by hand needs that all it names is there', () => {
  const kind = (byHand: string) => ({ what: '', byHand: [byHand], named: '', member: '' });
  const parts = { WEB: 'a', STANDBY: '', QUEUE: 'q', NETWORK: 'n' };
  expect(isPossible(kind('update --memory 300m OTHER-WEB'), parts)).toBe(true);
  expect(isPossible(kind('kill STANDBY'), parts)).toBe(false);
  expect(isPossible(kind('stop QUEUE'), parts)).toBe(false);
});

test('a step is a line, with one more for each thing that was wrong', () => {
  const step = { number: 12, name: 'a promotion', kind: 'operation', at, ms: 9000, wrong: [] } as const;
  expect(stepLines(step, 0)).toEqual(['✓   12  03:04:05  operation         9.0 s  a promotion']);
  expect(stepLines({ ...step, wrong: [{ text: 'it is locked' }] }, 2)).toEqual([
    '✗   12  03:04:05  operation         9.0 s  a promotion',
    '          it is locked',
    '          2 requests failed',
  ]);
});
