import { describe, expect, test } from 'vitest';
import { historyOf, releaseStatuses } from '../../../pipelines/inspection/history.ts';
import type { EdgeView, LoadBalancerView, HostView, SeenContainer } from '../../../pipelines/inspection/observation.ts';
import {
  containersOf,
  endOf,
  environmentStatus,
  hostsToAsk,
  soundnessOf,
} from '../../../pipelines/inspection/status.ts';
import type { Accessory } from '../../../pipelines/model/environment.ts';
import { environment, failed, host, placed, record, release, revision, rolledBackTo, spec } from '../model/values.ts';

const [r1, r2] = [revision(1, '1.0.0'), revision(2, '2.0.0')];
const hold = { since: '2026-01-01T12:00:00.000Z', actor: 'anna@desk', reason: 'slow', version: '2.0.0' };

/** `web-1.0.0` or `edge`, running unless another state follows: `web-1.0.0 exited`. */
function seen(text: string): SeenContainer {
  const [name = '', state = 'running'] = text.split(' ');
  const [role = '', version = ''] = name.split('-');
  const part = role === 'edge' ? 'edge' : role === 'db' ? 'accessory' : 'release';
  return { name, part, role: part === 'edge' ? '' : role, version, state };
}

const view = (containers: readonly string[], on = 'prod-1'): HostView => ({
  host: host(on),
  containers: containers.map(seen),
});
const dead: HostView = { host: host('prod-1'), error: 'does not answer within 2 s', containers: [] };

test('an environment that is as it should be', () => {
  const recorded = record([r1, r2], [placed('web-2.0.0'), placed('web-1.0.0')]);
  expect(environmentStatus(environment(), recorded, [view(['edge', 'web-2.0.0', 'web-1.0.0'])])).toEqual({
    name: 'prod',
    version: '2.0.0',
    digest: release('2.0.0').digest,
    revision: 2,
    since: '2026-01-01T12:00:04.000Z',
    actor: 'anna@desk',
    hosts: { ready: 1, total: 1 },
    problems: [],
    cordons: [],
    rollback: [{ version: '1.0.0', revision: 1, from: 'standby' }],
  });
});

test('an environment where nothing runs: hosts that answer are ready', () => {
  expect(environmentStatus(environment(), record([]), [view([])])).toEqual({
    name: 'prod',
    hosts: { ready: 1, total: 1 },
    problems: [],
    cordons: [],
    rollback: [],
  });
});

describe('a state that hosts know more than', () => {
  const adopt = '`lockage adopt prod` takes over what it knows';
  const fenced = (revisionNumber: number, recorded: number): HostView => ({
    ...view(['edge', 'web-2.0.0']),
    routes: 'differ',
    fence: { revision: revisionNumber, operation: 'x', recorded },
  });
  const recorded = record([r1, r2], [placed('web-2.0.0')]);
  const problemsOf = (
    ...[found, seenThere, lock]: [typeof recorded, HostView, { actor: string; since: string; purpose: string }?]
  ) => environmentStatus(environment(), found, [seenThere], lock).problems;

  test('is told from one that is only wrong', () => {
    expect(problemsOf(recorded, fenced(4, 4))).toEqual([`prod-1: knows revision 4, this state knows 2: ${adopt}`]);
    expect(problemsOf(record([]), fenced(4, 4))).toEqual([`prod-1: knows revision 4, this state knows none: ${adopt}`]);
    expect(problemsOf(recorded, fenced(3, 2))).toEqual(['prod-1: its traffic goes elsewhere than recorded']);
  });

  test('is suspected where nothing is recorded and a release is there, unless somebody is at work', () => {
    const said = `prod-1: has a release that this state does not know: ${adopt}`;
    expect(problemsOf(record([]), view(['edge', 'web-2.0.0']))).toEqual([said]);
    expect(problemsOf(record([]), view(['edge']))).toEqual([]);
    expect(problemsOf(record([]), view(['edge', 'web-2.0.0']), { actor: 'a', since: '', purpose: 'promote' })).toEqual(
      [],
    );
  });
});

test('hold, lock and a failed last attempt are told', () => {
  const lock = { actor: 'bert@desk', since: '2026-01-01T12:00:00.000Z', purpose: 'promote 3.0.0' };
  const recorded = record([r1, failed(2, '2.0.0')], [placed('web-1.0.0')], { hold });
  expect(environmentStatus(environment(), recorded, [view(['edge', 'web-1.0.0'])], lock)).toMatchObject({
    version: '1.0.0',
    hold,
    lock,
    failed: {
      version: '2.0.0',
      at: '2026-01-01T12:00:04.000Z',
      actor: 'anna@desk',
      reason: 'prod-1: web was not healthy',
    },
  });
});

describe('a host is not ready', () => {
  test.each([
    ['when it does not answer', dead, 'prod-1: does not answer within 2 s'],
    ['without its edge', view(['web-1.0.0']), 'prod-1: the edge does not run'],
    ['with a stopped edge', view(['edge exited', 'web-1.0.0']), 'prod-1: the edge does not run'],
    ['when a container stopped', view(['edge', 'web-1.0.0 exited']), 'prod-1: web 1.0.0 is exited'],
    ['when a container is gone', view(['edge']), 'prod-1: web 1.0.0 is gone'],
    ['when it restarts over and over', view(['edge', 'web-1.0.0 restarting']), 'prod-1: web 1.0.0 is restarting'],
    ['when an accessory stopped', view(['edge', 'web-1.0.0', 'db exited']), 'prod-1: accessory db is exited'],
    ['with all of it', view([]), 'prod-1: the edge does not run, web 1.0.0 is gone'],
  ])('%s', (_case, seenThere, problem) => {
    const status = environmentStatus(environment(), record([r1], [placed('web-1.0.0')]), [seenThere]);
    expect(status).toMatchObject({ hosts: { ready: 0, total: 1 }, problems: [problem] });
  });

  describe('for an accessory that is gone', () => {
    const db = (on = 'prod-1') => ({ name: 'db', host: on }) as Accessory;
    const problemsOf = (configured: readonly Accessory[], recorded?: readonly Accessory[]) => {
      const stoodOn = recorded && { accessories: recorded, edge: { image: 'caddy:2' } };
      const runs = record([{ ...r1, ...(stoodOn ? { stoodOn } : {}) }], [placed('web-1.0.0')]);
      const seenThere = [view(['edge', 'web-1.0.0'])];
      return environmentStatus(environment({ accessories: configured }), runs, seenThere).problems;
    };

    test('that what runs stands on', () => {
      expect(problemsOf([db()], [db()])).toEqual(['prod-1: accessory db is gone']);
    });

    test.each<[string, Accessory[], Accessory[]?]>([
      ['is configured and was never promoted', [db()], []],
      ['is recorded and configured no more', [], [db()]],
      ['is on another host', [db('prod-2')], [db('prod-2')]],
      ['is to go to another host', [db('prod-2')], [db()]],
      ['was made when that was not recorded', [db()]],
    ])('but not for one that %s', (_which, configured, recorded) => {
      expect(problemsOf(configured, recorded)).toEqual([]);
    });
  });

  test.each<[string, EdgeView, string]>([
    [
      'when visitors get no answer',
      { guarded: true, silent: ['port 8000 does not answer visitors: refused'] },
      'port 8000 does not answer visitors: refused',
    ],
    [
      'when its guard has ended',
      { guarded: false },
      'its guard has ended: nobody would take an unconfirmed switch back',
    ],
    ['when its edge does not say', { problem: 'no answer' }, 'its edge does not say what it serves: no answer'],
  ])('%s', (_case, edge, problem) => {
    const seenThere = { ...view(['edge', 'web-1.0.0']), edge };
    const status = environmentStatus(environment(), record([r1], [placed('web-1.0.0')]), [seenThere]);
    expect(status).toMatchObject({ hosts: { ready: 0, total: 1 }, problems: [`prod-1: ${problem}`] });
    expect(soundnessOf([status])).toBe('not at all');
  });

  test('when it was added after the revision', () => {
    const role = { ...environment().roles[0], hosts: ['prod-1', 'prod-2'] } as ReturnType<
      typeof environment
    >['roles'][number];
    const two = environment({ hosts: [host('prod-1'), host('prod-2')], roles: [role] });
    const status = environmentStatus(two, record([r1]), [view(['edge', 'web-1.0.0']), view(['edge'], 'prod-2')]);
    expect(status).toMatchObject({ hosts: { ready: 1, total: 2 }, problems: ['prod-2: has nothing of revision 1'] });
  });

  test('when it was taken out of the configuration and still has containers', () => {
    const recorded = record([r1], [placed('web-1.0.0'), placed('web-1.0.0', 'old-1')]);
    const hosts = hostsToAsk(environment(), recorded);
    expect(hosts.map(({ name }) => name)).toEqual(['prod-1', 'old-1']);
    const status = environmentStatus(environment(), recorded, [
      view(['edge', 'web-1.0.0']),
      view(['web-1.0.0'], 'old-1'),
    ]);
    expect(status.problems).toEqual(['old-1: not configured any more, and has containers of 1.0.0']);
  });
});

describe('a rollback', () => {
  const both = revision(1, '1.0.0', { containers: [spec('web-1.0.0'), spec('worker-1.0.0')] });
  test.each([
    ['is a switch while the standby runs and its worker rests', ['web-1.0.0', 'worker-1.0.0 exited'], '1.0.0 standby'],
    ['is made from the image when the standby stopped', ['web-1.0.0 exited', 'worker-1.0.0 exited'], '1.0.0 image'],
    ['is made from the image when the worker is gone', ['web-1.0.0'], '1.0.0 image'],
  ])('%s', (_case, containers, expected) => {
    const status = environmentStatus(environment(), record([both, r2]), [view(['edge', 'web-2.0.0', ...containers])]);
    expect(status.rollback.map(({ version, from }) => `${version} ${from}`)).toEqual([expected]);
  });

  test('lists further versions only if they are kept', () => {
    const revisions = [r1, r2, revision(3, '3.0.0'), revision(4, '4.0.0')];
    const status = environmentStatus(environment(), record(revisions), [view(['edge', 'web-4.0.0', 'web-2.0.0'])]);
    expect(status.rollback.map(({ version, from }) => `${version} ${from}`)).toEqual(['3.0.0 image', '2.0.0 standby']);
  });

  test('is no switch while a host does not answer', () => {
    expect(environmentStatus(environment(), record([r1, r2]), [dead]).rollback).toEqual([
      { version: '1.0.0', revision: 1, from: 'image' },
    ]);
  });
});

test('containers of a host: serving, standby, left over, unknown, edge and accessory', () => {
  const worker = (version: string) => spec(`worker-${version}`);
  const old = revision(1, '1.0.0', { containers: [spec('web-1.0.0'), worker('1.0.0')] });
  const current = revision(2, '2.0.0', { containers: [spec('web-2.0.0'), worker('2.0.0')] });
  const names = ['web-2.0.0', 'worker-2.0.0', 'web-1.0.0', 'worker-1.0.0', 'web-3.0.0'];
  const recorded = record(
    [old, current, failed(3, '3.0.0')],
    names.map((name) => placed(name)),
  );
  const there = view(['edge', 'db', 'web-2.0.0', 'web-1.0.0', 'worker-1.0.0 exited', 'web-3.0.0', 'web-0.9.0']);
  expect(
    containersOf(recorded, there).map(({ name, use, state, wrong }) => `${name} ${use} ${state}${wrong ? ' !' : ''}`),
  ).toEqual([
    'web-2.0.0 serving running',
    'worker-2.0.0 serving missing !',
    'web-1.0.0 standby running',
    'worker-1.0.0 standby exited',
    'edge edge running',
    'db accessory running',
    'web-3.0.0 left over running !',
    'web-0.9.0 unknown running !',
  ]);
});

test('a revision runs from the end of its operation on', () => {
  expect(endOf(r1)).toBe('2026-01-01T12:00:04.000Z');
  expect(endOf({ startedAt: 'some day', duration: 1 })).toBe('some day');
});

test('history is newest first, marks what runs, and has no values of variables', () => {
  const withEnv = revision(1, '1.0.0', { containers: [spec('web-1.0.0', 'prod-1', { env: { KEY: 'value' } })] });
  const history = historyOf(
    'prod',
    { record: record([withEnv, r2, failed(3, '3.0.0')], [], { hold }), blocks: [] },
    { limit: 2 },
  );
  expect(history.revisions.map(({ number, current }) => [number, current])).toEqual([
    [3, false],
    [2, true],
  ]);
  expect(history).toMatchObject({ environment: 'prod', older: 1, hold });
  expect(JSON.stringify(historyOf('prod', { record: record([withEnv]), blocks: [] }, { limit: 20 }))).not.toMatch(
    /KEY|value/,
  );
});

test('releases are newest first, with how far each one came', () => {
  const dev = record([r1, r2, failed(3, '3.0.0')]);
  const prod = record([r1, r2, rolledBackTo(3, r1)]);
  const releases = [release('1.0.0'), release('2.0.0'), release('3.0.0')];
  const came = releaseStatuses({ releases, blocks: [] }, [
    ['dev', dev],
    ['prod', prod],
  ]);
  expect(came.map(({ version, runs, ran, failed: tried }) => ({ version, runs, ran, tried }))).toEqual([
    { version: '3.0.0', runs: [], ran: [], tried: ['dev'] },
    { version: '2.0.0', runs: ['dev'], ran: ['prod'], tried: [] },
    { version: '1.0.0', runs: ['prod'], ran: ['dev'], tried: [] },
  ]);
});

describe('the load balancer of an environment', () => {
  const front = { address: '10.71.3.1', urls: ['http://10.71.3.1:8000'] };
  const servers = [{ name: 'prod-1', healthy: false }];
  const problemsOf = (found: LoadBalancerView) =>
    environmentStatus(environment(), record([r1]), [view(['edge', 'web-1.0.0'])], undefined, found).problems;

  test.each<[string, LoadBalancerView, string[]]>([
    ['runs', { ...front, state: 'running', servers: [{ name: 'prod-1', healthy: true }] }, []],
    [
      'does not run',
      { ...front, state: 'stopped', servers },
      ['the load balancer http://10.71.3.1:8000 does not run: `lockage promote 1.0.0 --to prod` starts it again'],
    ],
    [
      'reaches nobody',
      { ...front, state: 'running', servers },
      ['the load balancer http://10.71.3.1:8000 reaches no machine of prod'],
    ],
    [
      'does not serve visitors',
      {
        ...front,
        state: 'running',
        servers: [{ name: 'prod-1', healthy: true }],
        silent: ['port 8000 does not answer visitors: answers 503'],
      },
      ['the load balancer http://10.71.3.1:8000: port 8000 does not answer visitors: answers 503'],
    ],
  ])('that %s', (_, found, problems) => {
    expect(problemsOf(found)).toEqual(problems);
  });
});

describe('whether environments are as they are recorded', () => {
  const recorded = record([r1], [placed('web-1.0.0')]);
  const status = (...views: HostView[]) => environmentStatus(environment(), recorded, views);
  const well = status(view(['edge', 'web-1.0.0']));

  test('all of them', () => {
    expect(soundnessOf([well, well])).toBe('sound');
  });

  test('some of them, or some of their hosts', () => {
    expect(soundnessOf([well, status(dead)])).toBe('in part');
  });

  test('none of them', () => {
    expect(soundnessOf([status(dead)])).toBe('not at all');
  });

  test('not where the traffic goes elsewhere, whatever runs', () => {
    const astray: HostView = { ...view(['edge', 'web-1.0.0']), routes: 'differ' };
    expect(status(astray).problems).toEqual(['prod-1: its traffic goes elsewhere than recorded']);
    expect(soundnessOf([status(astray)])).toBe('not at all');
  });
});
