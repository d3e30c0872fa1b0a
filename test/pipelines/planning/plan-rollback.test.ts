import { describe, expect, test } from 'vitest';
import { currentRevision, withRevision } from '../../../pipelines/model/ledger.ts';
import { host, refusal, role } from '../model/values.ts';
import {
  broken,
  carriedOut,
  configured,
  cordoned,
  onHosts,
  planned,
  plannedBack,
  released,
  scene,
  sentences,
  uncordoned,
  wentBack,
  type Scene,
} from './scene.ts';

const second = released(scene(), '1.0.0', '2.0.0');
const third = released(second, '3.0.0');
const pair = released(scene(['prod-1', 'prod-2']), '1.0.0', '2.0.0');
const { route: _, ...withoutRoute } = role({ name: 'worker' });
const withWorker = released(scene(['prod-1'], { roles: [role(), withoutRoute] }), '1.0.0', '2.0.0');
const standbyStopped: Scene = {
  ...second,
  stopped: second.record.containers.filter(({ spec }) => spec.version === '1.0.0').map(({ spec }) => spec.name),
};

describe('what happens to each container', () => {
  test.each<[string, Scene, string | undefined, string[]]>([
    ['a standby serves again', second, undefined, ['prod-1 web 1.0.0 serve', 'prod-1 web 2.0.0 standby']],
    [
      'a standby serves again on every host',
      pair,
      undefined,
      ['prod-1 web 1.0.0 serve', 'prod-2 web 1.0.0 serve', 'prod-1 web 2.0.0 standby', 'prod-2 web 2.0.0 standby'],
    ],
    [
      'what is no standby any more is made again',
      third,
      '1.0.0',
      ['prod-1 web 1.0.0 create', 'prod-1 web 3.0.0 standby', 'prod-1 web 2.0.0 remove'],
    ],
    [
      'a revision is named by its number',
      third,
      '1',
      ['prod-1 web 1.0.0 create', 'prod-1 web 3.0.0 standby', 'prod-1 web 2.0.0 remove'],
    ],
    [
      'without a standby nothing else stays',
      configured(second, { standby: 0 }),
      undefined,
      ['prod-1 web 1.0.0 serve', 'prod-1 web 2.0.0 remove'],
    ],
    [
      'a cordoned host is left alone',
      cordoned(pair, 'prod-2'),
      undefined,
      ['prod-1 web 1.0.0 serve', 'prod-1 web 2.0.0 standby', 'prod-2 web 2.0.0 standby', 'prod-2 web 1.0.0 standby'],
    ],
    [
      'a host that left does not come back',
      released(onHosts(pair, ['prod-1']), '3.0.0'),
      '2.0.0',
      ['prod-1 web 2.0.0 serve', 'prod-1 web 3.0.0 standby'],
    ],
  ])('%s', (_case, now, to, expected) => {
    expect(sentences(plannedBack(now, to))).toEqual(expected);
  });
});

describe('to a standby', () => {
  const { plan, desired, standby } = plannedBack(second);

  test('is a switch that proves nothing and is final at once', () => {
    expect(standby).toBe(true);
    expect(desired).toMatchObject({ verify: [], fallback: [], guarded: false, watch: 0 });
    expect(plan.notes).toEqual(['a standby runs on every host: the rollback is a switch']);
  });

  test('needs no container without traffic to run', () => {
    expect(plannedBack(withWorker).standby).toBe(true);
  });
});

describe.each<[string, Scene, string | undefined]>([
  ['without a standby', third, '1.0.0'],
  ['to a standby that has stopped', standbyStopped, undefined],
])('%s', (_case, now, to) => {
  const { plan, desired, standby } = plannedBack(now, to);

  test('everything proves itself before it serves', () => {
    expect(standby).toBe(false);
    expect(desired.verify).toEqual(desired.serving);
    expect(plan.notes).toEqual([]);
  });

  test('a failure goes back to what serves now', () => {
    const current = currentRevision(now.record.ledger);
    expect(desired.guarded).toBe(true);
    expect(desired.fallback.map(({ spec }) => spec.version)).toEqual([current?.release.version]);
  });
});

describe('the hold', () => {
  const since = '2026-01-02T00:00:00.000Z';

  test('says from what it went back to what', () => {
    const reason = 'rolled back from 2.0.0 to 1.0.0';
    expect(plannedBack(second).plan.hold).toEqual({ since, actor: 'anna@desk', reason, version: '2.0.0' });
  });

  test('says why, where a person did', () => {
    const { desired, revision } = plannedBack(second, undefined, 'slow');
    expect(desired.ledger.hold).toMatchObject({ reason: 'slow', version: '2.0.0' });
    expect(revision.reason).toBe('slow');
  });
});

describe('what is recorded', () => {
  test('is another revision that restores the earlier one', () => {
    const { revision } = plannedBack(third, '1.0.0');
    expect(revision).toMatchObject({ number: 4, kind: 'rollback', restores: 1, release: { version: '1.0.0' } });
  });

  test('are the containers as they ran then, whatever is configured now', () => {
    const now = configured(second, { roles: [role({ env: { LOG: 'loud' } })] });
    const [r1] = now.record.ledger.revisions;
    expect(plannedBack(now).revision.containers).toEqual(r1?.containers);
  });

  test('are the versions of the secrets of then', () => {
    const old = released(
      { ...scene(['prod-1'], { roles: [role({ secrets: ['TOKEN'] })] }), versions: { TOKEN: 'v1' } },
      '1.0.0',
    );
    const { revision, desired } = plannedBack(released({ ...old, versions: { TOKEN: 'v2' } }, '1.0.0'));
    expect(revision.secretVersions).toEqual({ TOKEN: 'v1' });
    expect(desired.secrets.map(({ version }) => version)).toEqual(['v1', 'v2']);
  });

  test('is the number of containers of then', () => {
    const orchestrator = { kind: 'swarm', name: 'prod', managers: [host('prod-1')] } as const;
    const two = released(scene(['prod-1'], { orchestrator, roles: [role({ hosts: ['prod'], count: 2 })] }), '1.0.0');
    const five = carriedOut(two, planned(two, '1.0.0', { counts: { web: 5 } }));
    const next = released(five, '2.0.0');
    expect(plannedBack(next).revision.counts).toEqual({ web: { count: 5, configured: 2 } });
    expect(plannedBack(next).desired.serving.map(({ spec }) => spec.replicas)).toEqual([5]);
  });
});

describe('a second rollback', () => {
  test('goes further back', () => {
    const once = wentBack(released(scene(['prod-1'], { standby: 2 }), '1.0.0', '2.0.0', '3.0.0'));
    expect(plannedBack(once).plan.release.version).toBe('1.0.0');
  });

  test('finds nothing behind the first release', () => {
    expect(refusal(() => plannedBack(wentBack(second)))).toBe(
      'prod has no earlier good revision to go back to | it runs 1.0.0 (revision 3)',
    );
  });
});

describe('the hosts of today', () => {
  test('get what an equal revision ran on a host that was cordoned then', () => {
    const away = released(cordoned(pair, 'prod-2'), '3.0.0');
    const back = uncordoned(released(away, '2.0.0'), 'prod-2');
    const everywhere = released(back, '4.0.0');
    expect(plannedBack(everywhere, '2.0.0').desired.serving.map((each) => each.host.name)).toEqual([
      'prod-1',
      'prod-2',
    ]);
  });

  test('refuse a revision that did not run on one that serves', () => {
    const grown = released(onHosts(released(scene(), '1.0.0'), ['prod-1', 'prod-2']), '2.0.0');
    expect(refusal(() => plannedBack(grown))).toBe(
      'revision 1 of prod does not fit the hosts of today | it did not run on prod-2' +
        ' | Promote 1.0.0 instead: it is made for the hosts of today.',
    );
  });

  test('refuse a revision with a role that would run nowhere', () => {
    const roles = [role({ hosts: ['prod-1', 'prod-2'] }), { ...withoutRoute, hosts: ['prod-2'] }];
    const both = released(scene(['prod-1', 'prod-2'], { roles }), '1.0.0', '2.0.0');
    const smaller = released(configured(both, { hosts: [host('prod-1')], roles: [role()] }), '3.0.0');
    expect(refusal(() => plannedBack(smaller, '2.0.0'))).toContain('role worker of it ran on hosts that are gone only');
  });
});

test('a release that failed is nothing to go back to', () => {
  const { revision } = planned(second, '3.0.0');
  const ledger = withRevision(second.record.ledger, { ...revision, result: 'failed', duration: 1, reason: 'unwell' });
  const after = { ...second, record: { ...second.record, ledger } };
  expect(plannedBack(after).plan).toMatchObject({ number: 4, release: { version: '1.0.0' } });
});

test('a repair of a release is no way back from it', () => {
  const repaired = carriedOut(second, planned(broken(second, 'web'), '2.0.0'));
  expect(plannedBack(repaired).plan.release.version).toBe('1.0.0');
});
