import { describe, expect, test } from 'vitest';
import type { HostView } from '../../../pipelines/inspection/observation.ts';
import type { EnvironmentRecord } from '../../../pipelines/model/ledger.ts';
import type { Hold } from '../../../pipelines/model/revision.ts';
import { readiness, type Answer, type ReadinessFacts } from '../../../pipelines/planning/readiness.ts';
import { environment, host, record, release, revision, spec } from '../model/values.ts';

const all = ['1.0.0', '2.0.0', '3.0.0'].map((version) => release(version));
const digests = (...versions: readonly string[]) => new Set(versions.map((version) => release(version).digest));
const now = Date.parse('2026-01-02T00:00:00Z');
const running = (version: string): HostView['containers'][number] => ({
  ...{ name: `web-${version}`, part: 'release', role: 'web', version, state: 'running' },
});
const ran = (changes: Partial<EnvironmentRecord['ledger']> = {}): EnvironmentRecord => {
  const made = record([revision(1, '1.0.0'), revision(2, '2.0.0')]);
  return { ...made, ledger: { ...made.ledger, ...changes } };
};
const hold: Hold = { since: '2026-01-01T00:00:00Z', actor: 'ben@ci', reason: 'it is slow', version: '2.0.0' };

/** 2.0.0 serves, 1.0.0 is its standby, and 3.0.0 ran well in qa. */
const facts = (changes: Partial<ReadinessFacts> = {}): ReadinessFacts => ({
  environment: environment({ after: ['qa'] }),
  record: ran(),
  releases: all,
  upstream: { qa: record([revision(1, '3.0.0')]) },
  views: [{ host: host('prod-1'), containers: [running('1.0.0'), running('2.0.0')] }],
  images: new Map([['prod-1', digests('1.0.0', '2.0.0')]]),
  blocks: [],
  registry: digests('1.0.0', '2.0.0', '3.0.0'),
  clocks: [{ host: 'prod-1', ahead: 300, precision: 5 }],
  certificates: [{ host: 'prod-1', certificates: [] }],
  now,
  ...changes,
});
const answer = (question: Answer['question'], changes: Partial<ReadinessFacts> = {}) =>
  readiness(facts(changes)).find((each) => each.question === question);
const said = (question: Answer['question'], changes: Partial<ReadinessFacts> = {}) => {
  const found = answer(question, changes);
  return found && `${found.level}: ${found.text}`;
};

test('an environment that is ready says so, and what may come in', () => {
  expect(readiness(facts()).map(({ question, level, text }) => `${question} ${level}: ${text}`)).toEqual([
    'promote good: yes: 3.0.0',
    'roll back good: yes: to 1.0.0 (revision 1, a switch)',
    'images good: what serves and all that can be gone back to is on every host',
    'lock good: free',
    'clocks good: of all hosts are as that of this computer',
  ]);
});

describe('a promotion', () => {
  const silent: readonly HostView[] = [{ host: host('prod-1'), containers: [], error: 'does not answer within 5 s' }];
  const cordons = [{ host: 'prod-2', since: '', actor: 'ben', reason: 'disk' }];

  test.each<[string, Partial<ReadinessFacts>, string]>([
    ['is not possible on hold', { record: ran({ hold }) }, 'bad: no: on hold by ben@ci, it is slow'],
    ['is not possible while a host is silent', { views: silent }, 'bad: no: 1 of 1 hosts do not answer'],
    ['goes on without a cordoned host', { record: ran({ cordons }) }, 'warning: yes: 3.0.0; without prod-2'],
    [
      'has nothing to bring in where nothing ran well before',
      { upstream: { qa: record([]) } },
      'good: yes, and no release waits that passed what is before',
    ],
  ])('%s', (_case, changes, expected) => {
    expect(said('promote', changes)).toBe(expected);
  });
});

describe('what stops every change', () => {
  const silent: readonly HostView[] = [
    { host: host('prod-1'), containers: [running('1.0.0'), running('2.0.0')] },
    { host: host('prod-2'), containers: [], error: 'does not answer within 5 s' },
  ];
  const obstacle = { text: 'hosts of prod know revision 9, this state knows 2', details: ['prod-1'], hint: 'Adopt.' };

  test('is a silent host, of which nobody knows what it has', () => {
    const no = 'bad: no: 1 of 2 hosts do not answer';
    expect([said('promote', { views: silent }), said('roll back', { views: silent })]).toEqual([no, no]);
    expect(said('images', { views: silent })).toBe(
      'good: what serves and all that can be gone back to is on every host that answers',
    );
    expect(said('clocks', { views: silent })).toBe('good: of 1 of 2 hosts, which tell, are as that of this computer');
    expect(said('clocks', { views: silent, clocks: [] })).toBe('warning: are not known: no host tells');
  });

  test.each([
    [true, `bad: no: ${obstacle.text}`],
    [false, 'good: yes: to 1.0.0 (revision 1, a switch)'],
  ])('is what hosts refuse it for, a rollback too: %s', (stopsRollback, rollback) => {
    const changes = { obstacle: { ...obstacle, stopsRollback } };
    expect(answer('promote', changes)).toMatchObject({ ...obstacle, level: 'bad', text: `no: ${obstacle.text}` });
    expect(said('roll back', changes)).toBe(rollback);
  });
});

test('nodes of a swarm are not asked for images, which they pull from the registry', () => {
  const swarm = { kind: 'swarm', name: 'swarm', managers: [host('prod-1')] } as const;
  const revisions = ['1.0.0', '2.0.0'].map((version, at) =>
    revision(at + 1, version, { containers: [spec(`web-${version}`, 'swarm')] }),
  );
  const changes = {
    record: record(revisions),
    views: [
      { host: host('prod-1'), containers: [] },
      { host: swarm, containers: [running('2.0.0')] },
    ],
  };
  expect(said('roll back', changes)).toBe('good: yes: to 1.0.0 (revision 1, from the registry)');
  expect(answer('images', changes)).toMatchObject({
    text: 'those that are not on every host are in the registry',
    details: ['nodes of swarm pull 2.0.0', 'nodes of swarm pull 1.0.0'],
  });
  expect(said('roll back', { ...changes, registry: digests('2.0.0') })).toBe('bad: no: the images are gone');
});

describe('a rollback', () => {
  const rests: readonly HostView[] = [{ host: host('prod-1'), containers: [running('2.0.0')] }];
  const lacking = new Map([['prod-1', digests('2.0.0')]]);

  test.each<[string, Partial<ReadinessFacts>, string, string]>([
    [
      'without its standby is made from the image on the hosts',
      { views: rests },
      'good: yes: to 1.0.0 (revision 1, from its image)',
      'good: what serves and all that can be gone back to is on every host',
    ],
    [
      'whose image a host has no more takes it from the registry',
      { views: rests, images: lacking },
      'good: yes: to 1.0.0 (revision 1, from the registry)',
      'good: those that are not on every host are in the registry',
    ],
    [
      'whose image is nowhere is not possible',
      { views: rests, images: lacking, registry: digests('2.0.0') },
      'bad: no: the images are gone',
      'warning: neither on every host nor in the registry: 1.0.0',
    ],
    [
      'that needs a registry which is silent is not possible',
      { views: rests, images: lacking, registry: { error: 'the registry is down' } },
      'bad: no: the images are gone',
      'bad: some are not on every host, and the registry is down',
    ],
    [
      'is not possible where one release ran',
      { record: record([revision(2, '2.0.0')]) },
      'warning: no: there is no earlier good revision',
      'good: what serves and all that can be gone back to is on every host',
    ],
  ])('%s', (_case, changes, rollback, images) => {
    expect([said('roll back', changes), said('images', changes)]).toEqual([rollback, images]);
  });
});

test.each([
  [{ leaseLeft: 60_000 }, 'warning: held by ben@ci: promote 3.0.0'],
  [{ leaseLeft: -1 }, 'good: lapsed, of ben@ci: the next command takes it over'],
])('a lock with %o is %s', (lease, expected) => {
  const lock = { actor: 'ben@ci', since: '', purpose: 'promote 3.0.0', ...lease };
  expect(said('lock', { lock })).toBe(expected);
});

test('a clock that is more than two seconds off is named, as far as it can be known', () => {
  const clocks = [
    { host: 'prod-1', ahead: -90_000, precision: 5 },
    { host: 'prod-2', ahead: 4000, precision: 3000 },
  ];
  const found = answer('clocks', { clocks });
  expect([found?.level, found?.details]).toEqual(['warning', ['prod-1: 90.0 s behind']]);
});

test.each([
  ['2027-01-01T00:00:00Z', 'good: the first ends on 2027-01-01'],
  ['2026-01-12T00:00:00Z', 'warning: end soon, the first on 2026-01-12'],
  ['2026-01-01T00:00:00Z', 'bad: have ended'],
])('a certificate that ends %s is %s', (expires, expected) => {
  const certificates = [{ host: 'prod-1', certificates: [{ use: 'server' as const, expires }] }];
  expect(said('certificates', { certificates })).toBe(expected);
});

test('a freeze is told with its end, and what is blocked or has not served long enough is not named', () => {
  const day = 86_400_000;
  const feast = { kind: 'fixed', from: now - day, until: now + day, zone: 'UTC', reason: 'the feast' } as const;
  expect(said('promote', { environment: environment({ after: ['qa'], freeze: [feast] }) })).toBe(
    'warning: no: prod is frozen until 2026-01-03 00:00 UTC: the feast',
  );
  const block = { ...{ version: '3.0.0', since: '2026-01-01T00:00:00Z', actor: 'ben@ci', reason: 'bad' } };
  const none = 'good: yes, and no release waits that passed what is before';
  expect(said('promote', { blocks: [{ ...block, digest: release('3.0.0').digest }] })).toBe(none);
  expect(said('promote', { environment: environment({ after: ['qa'], soak: 2 * day }) })).toBe(none);
  expect(said('roll back', { blocks: [{ ...block, digest: release('1.0.0').digest }] })).toBe(
    'warning: no: there is no earlier good revision',
  );
});
