import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import type { History } from '../../../pipelines/inspection/history.ts';
import type { HostView } from '../../../pipelines/inspection/observation.ts';
import type { ContainerStatus, EnvironmentStatus } from '../../../pipelines/inspection/status.ts';
import type { Plan } from '../../../pipelines/model/plan.ts';
import { doctorLines } from '../../../scripts/cli/views/doctor.ts';
import { historyLines, releaseLines } from '../../../scripts/cli/views/history.ts';
import { inventoryLines } from '../../../scripts/cli/views/inventory.ts';
import { linePrefixes } from '../../../scripts/cli/views/log-prefix.ts';
import { planLines } from '../../../scripts/cli/views/plan.ts';
import { environmentLines, overviewLines } from '../../../scripts/cli/views/status.ts';
import { host, release, revision } from '../../pipelines/model/values.ts';

const now = Date.parse('2026-01-01T12:05:00.000Z');
const noon = '2026-01-01T12:00:00.000Z';
const plain = (lines: readonly string[]) => lines.map(stripVTControlCharacters);

const empty: EnvironmentStatus = {
  name: 'uat',
  hosts: { ready: 0, total: 1 },
  problems: [],
  cordons: [],
  rollback: [],
};

const prod: EnvironmentStatus = {
  name: 'prod',
  version: '2.0.0',
  digest: release('2.0.0').digest,
  revision: 12,
  since: noon,
  actor: 'anna@desk',
  hosts: { ready: 1, total: 2 },
  problems: ['prod-2: does not answer within 2 s'],
  cordons: [],
  rollback: [
    { version: '1.0.0', revision: 11, from: 'standby' },
    { version: '0.9.0', revision: 10, from: 'standby' },
  ],
};

test('all environments, a line each, with what a person should know below', () => {
  const hold = { since: noon, actor: 'anna@desk', reason: 'slow', version: '2.0.0' };
  const lock = { actor: 'bert@desk', since: '2026-01-01T12:04:30.000Z', purpose: 'promote 3.0.0' };
  const tried = { version: '3.0.0', at: noon, actor: 'bert@desk', reason: 'prod-1: web was not healthy' };
  const warnings = ['prod-1: the CA certificate expires on 2026-01-04, in 2 days'];
  expect(plain(overviewLines([{ ...prod, warnings, hold, lock, failed: tried }, empty], now))).toEqual([
    '      version  digest        rev  since      by         hosts  rollback',
    'prod  2.0.0    222222222222  12   5 min ago  anna@desk  1/2    1.0.0 ready, 0.9.0 ready',
    '  ✗ prod-2: does not answer within 2 s',
    '  ! prod-1: the CA certificate expires on 2026-01-04, in 2 days',
    '  HOLD by anna@desk 5 min ago: slow (lockage resume prod)',
    '  locked by bert@desk 30 s ago: promote 3.0.0',
    '  last attempt, 3.0.0 5 min ago by bert@desk, failed: prod-1: web was not healthy',
    'uat   nothing                                           0/1',
  ]);
});

test('an environment that is archived, with its file', () => {
  const archived = {
    ...{ environment: 'uat', since: noon, actor: 'anna@desk', version: '1.4.0', digest: release('1.4.0').digest },
    ...{ revision: 12, file: 'uat.lockage', sha256: 'abc', bytes: 1000 },
  };
  const shown: EnvironmentStatus = { ...empty, hosts: { ready: 0, total: 0 }, archived };
  expect(plain(overviewLines([shown], now, 80))).toEqual([
    '     version   digest  rev  since  by  hosts  rollback',
    'uat  archived',
    '  archived 2026-01-01 by anna@desk, 1.4.0: uat.lockage',
  ]);
  expect(plain(environmentLines(shown, [], now))).toEqual([
    'uat  archived',
    '  archived 2026-01-01 by anna@desk, 1.4.0: uat.lockage',
  ]);
});

test('twelve environments on a narrow terminal: what can be looked up otherwise is left out', () => {
  const names = [
    'dev-anna',
    'dev',
    'test-bert',
    'test',
    'qa',
    'uat',
    'load-test',
    'live-staging',
    'prod-eu',
    'prod-us',
  ];
  const all = [...names, 'archive', 'partner'].map((name) => ({ ...prod, name, problems: [] }));
  const at = (width: number) => plain(overviewLines(all, now, width));
  expect(at(120)[1]).toBe(
    'dev-anna      2.0.0    222222222222  12   5 min ago  anna@desk  1/2    1.0.0 ready, 0.9.0 ready',
  );
  expect(at(94)[1]).toBe('dev-anna      2.0.0    222222222222  12   5 min ago  anna@desk  1/2    1.0.0 ready, 1 more');
  expect(at(80)).toHaveLength(13);
  expect(at(80).every((line) => line.length <= 80)).toBe(true);
  expect(at(80)[8]).toBe('live-staging  2.0.0    12   5 min ago  anna@desk  1/2    1.0.0 ready, 1 more');
  expect(at(20)[9]).toBe('prod-eu       2.0.0    12   5 min ago  1/2    1.0.0 ready, 1 more');
});

test('where a rollback makes containers again, and where there is none', () => {
  const fromImage = { ...prod, rollback: [{ version: '1.0.0', revision: 11, from: 'image' as const }] };
  const lines = plain(overviewLines([fromImage, { ...prod, rollback: [] }], now)).filter((line) =>
    line.startsWith('prod'),
  );
  expect(lines.map((line) => line.slice(63))).toEqual(['1.0.0 from image', 'none']);
});

test('one environment, host by host and container by container', () => {
  const web = { name: 'shop-web-1', part: 'release', role: 'web', version: '2.0.0', state: 'running', since: noon };
  const view: HostView = { host: host('prod-1'), engine: '24.0.7', routes: 'differ', containers: [web] };
  const dead: HostView = { host: host('prod-2'), error: 'prod-2: does not answer within 2 s', containers: [] };
  const containers: ContainerStatus[] = [
    { ...web, use: 'serving', wrong: false, restarts: 2 },
    {
      name: 'shop-worker-1',
      part: 'release',
      role: 'worker',
      version: '2.0.0',
      state: 'missing',
      use: 'serving',
      wrong: true,
    },
    { ...web, name: 'shop-web-0', version: '1.0.0', use: 'unknown', wrong: true },
    {
      name: 'shop-edge',
      part: 'edge',
      role: '',
      version: '',
      state: 'running',
      since: noon,
      use: 'edge',
      wrong: false,
    },
  ];
  const hosts = [
    { view, containers },
    { view: dead, containers: [] },
  ];
  expect(plain(environmentLines(prod, hosts, now))).toEqual([
    'prod  2.0.0 (222222222222, revision 12) since 5 min ago by anna@desk',
    '  rollback: 1.0.0 ready, 0.9.0 ready',
    '',
    'prod-1  Docker 24.0.7  routes differ',
    '  ✓  web     2.0.0  running  5 min ago, 2 restarts  serving  shop-web-1',
    '  ✗  worker  2.0.0  missing                         serving  shop-worker-1',
    '  ?  web     1.0.0  running  5 min ago              unknown  shop-web-0',
    '  ✓  edge           running  5 min ago              edge     shop-edge',
    '',
    'prod-2  ✗ does not answer within 2 s',
  ]);
});

test('history, newest first, with the revision that runs marked', () => {
  const shown = (...given: Parameters<typeof revision>) => ({
    ...revision(...given),
    containers: [],
    current: given[0] === 2,
  });
  const history: History = {
    environment: 'prod',
    revisions: [
      shown(3, '3.0.0', { result: 'failed', reason: 'prod-1: web was not healthy\nand more' }),
      shown(2, '1.0.0', { kind: 'rollback', restores: 1, reason: 'slow', duration: 340 }),
    ],
    older: 1,
  };
  expect(plain(historyLines(history, now))).toEqual([
    '   rev  kind      version  result     by         when       took    reason',
    '   3    promote   3.0.0    failed     anna@desk  5 min ago  4.0 s   prod-1: web was not healthy',
    '>  2    rollback  1.0.0    succeeded  anna@desk  5 min ago  340 ms  revision 1 again: slow',
    '1 older: lockage history prod -n 3',
  ]);
  expect(historyLines({ environment: 'prod', revisions: [], older: 0 }, now)).toEqual(['prod has no revisions yet']);
});

test('releases, and how far each one came', () => {
  const { commit: _, ...adopted } = { ...release('3.0.0'), createdAt: noon, adopted: true };
  const dirty = { ...release('2.0.0'), createdAt: noon, dirty: true };
  expect(
    plain(
      releaseLines(
        [
          { ...adopted, runs: [], ran: [], failed: ['dev'] },
          { ...dirty, runs: ['dev', 'qa'], ran: ['prod'], failed: [] },
        ],
        now,
      ),
    ),
  ).toEqual([
    'version  digest        commit    when       by         platform     environments',
    '3.0.0    333333333333  adopted   5 min ago  anna@desk  linux/amd64  failed in dev',
    '2.0.0    222222222222  0123456+  5 min ago  anna@desk  linux/amd64  runs in dev, qa; ran in prod',
    '+ built with uncommitted changes',
  ]);
});

test('checks, aligned, with what to do below them', () => {
  const groups = [
    { title: 'this machine', checks: [{ name: 'node', level: 'good' as const, text: '20.20.2' }] },
    {
      title: 'prod',
      checks: [
        { name: 'prod-1', level: 'warning' as const, text: 'cgroup v1', hint: 'Start it with cgroup v2.' },
        { name: 'prod-2', level: 'bad' as const, text: 'does not answer', details: ['connection refused'] },
      ],
    },
  ];
  expect(plain(doctorLines(groups))).toEqual([
    'this machine',
    '  ✓ node    20.20.2',
    'prod',
    '  ! prod-1  cgroup v1',
    '            Start it with cgroup v2.',
    '  ✗ prod-2  does not answer',
    '            connection refused',
    '1 problem, 1 warning',
  ]);
  expect(plain(doctorLines(groups.slice(0, 1))).at(-1)).toBe('ready');
});

test('what destroy removes, and the data it leaves', () => {
  const inventory = {
    host: host('prod-1'),
    containers: [{ name: 'shop-prod-edge', part: 'edge', running: true }],
    networks: ['shop-prod'],
    volumes: ['shop-prod-live'],
    data: ['shop-prod-db-data'],
    secrets: [],
  };
  expect(plain(inventoryLines([inventory], false))).toEqual([
    '  - remove  prod-1  edge     shop-prod-edge',
    '  - remove  prod-1  network  shop-prod',
    '  - remove  prod-1  volume   shop-prod-live',
    '  = keep    prod-1  data     shop-prod-db-data',
  ]);
  expect(plain(inventoryLines([inventory], true)).at(-1)).toBe('  - remove  prod-1  data     shop-prod-db-data');
});

test('a plan, container by container', () => {
  const change = { host: 'prod-1', role: 'web' };
  const plan: Plan = {
    kind: 'promote',
    environment: 'prod',
    number: 2,
    release: release('2.0.0'),
    from: revision(1, '1.0.0'),
    containers: [
      { ...change, action: 'create', version: '2.0.0', name: 'web-2' },
      { ...change, action: 'standby', version: '1.0.0', name: 'web-1' },
    ],
    differences: [
      { role: 'web', key: 'limits.memory', change: 'changed', from: '256', to: '512' },
      { role: 'web', key: 'env.LOG', change: 'gone' },
      { role: 'web', key: 'secrets.TOKEN', change: 'changed' },
      { role: 'mailer', change: 'new' },
    ],
    migration: true,
    notes: ['a note'],
  };
  expect(plain(planLines(plan))).toEqual([
    'prod: promote 2.0.0 (222222222222, revision 2, now 1.0.0 111111111111 revision 1)',
    '  migration runs first, once',
    '  + create   prod-1  web  2.0.0  web-2',
    '  ~ standby  prod-1  web  1.0.0  web-1',
    '  web: limits.memory 256 → 512, env.LOG goes, secrets.TOKEN changes',
    '  mailer: the role is new',
    '  a note',
  ]);
});

test('lines of several hosts begin aligned', () => {
  expect(
    plain(
      linePrefixes([
        ['prod-1', 'web'],
        ['prod-10', 'worker'],
      ]),
    ),
  ).toEqual(['prod-1  web    ', 'prod-10 worker ']);
  expect(linePrefixes([])).toEqual([]);
});
