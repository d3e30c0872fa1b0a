import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Engine } from '../../../infra/docker/api/client.ts';
import { ownerLabels } from '../../../infra/docker/labels.ts';
import type { EnvironmentStatus } from '../../../pipelines/inspection/status.ts';
import type { Reproduction } from '../../../pipelines/model/reproduction.ts';
import { planReproduction } from '../../../pipelines/planning/plan-reproduction.ts';
import { lifeOn, overOf, overText, refuseOver } from '../../../scripts/cli/environment-life.ts';
import { environmentsJson, environmentsLines, type EnvironmentRow } from '../../../scripts/cli/views/environments.ts';
import { reproductionLines } from '../../../scripts/cli/views/reproduction.ts';
import { overviewLines } from '../../../scripts/cli/views/status.ts';
import { clockText } from '../../../scripts/tools/format.ts';
import { reproductionFolder } from '../../../scripts/project/reproductions.ts';
import { recordedWith, testImage } from '../../infra/registry/values.ts';
import { hostWith, spec } from '../../pipelines/model/values.ts';
import { PretendEngine } from '../../support/pretend-engine.ts';

/** The clock of the computer that runs this says so. */
const at = (hours: number, minutes: number, day = 29) => new Date(2026, 10, day, hours, minutes).getTime();
const now = at(12, 40);
const until = at(16, 40) / 1000;

const of = { ...recordedWith(testImage('a'), testImage('b')), containers: [spec('web-1.4.0', 'prod-1')] };
const made = (name: string, changes: Partial<Reproduction> = {}): Reproduction => ({
  ...planReproduction({
    ...{
      of,
      name,
      host: { ...hostWith('test-3', { url: 'ssh://deploy@test-3' }), address: '10.0.0.3' },
      scale: {},
      secrets: {},
    },
    engine: { platform: 'linux/amd64', emulates: [], taken: new Map() },
    time: { ttl: 4 * 3_600_000, until },
  }),
  ...changes,
});
const status = (name: string, changes: Partial<EnvironmentStatus> = {}): EnvironmentStatus => ({
  ...{ name, version: '1.5.0', hosts: { ready: 1, total: 1 }, problems: [], cordons: [], rollback: [] },
  ...changes,
});
const row = (
  name: string,
  kind: EnvironmentRow['life']['kind'],
  changes?: Partial<EnvironmentStatus>,
): EnvironmentRow => ({
  reproduction: made(name),
  life: kind === 'silent' ? { kind, until, error: 'does not answer within 5 s' } : { kind, until, now: 0 },
  ...(kind === 'up' ? { status: status(name, changes) } : {}),
});
const plain = (lines: readonly string[]) => lines.map(stripVTControlCharacters);

test('environments with a time, a line each, with what a person should know below', () => {
  const rows = [
    row('pr-128', 'up'),
    row('pr-129', 'up', { problems: ['test-3: web is not healthy'] }),
    row('anna', 'silent'),
    row('bert', 'ending'),
    row('carl', 'stays'),
    row('dora', 'absent'),
    { reproduction: made('emil'), life: { kind: 'up', until, now: 0 } as const, error: ['its record is damaged'] },
  ];
  expect(plain(environmentsLines({ rows, gone: [made('old')] }, now))).toEqual([
    '        from     version  host    URL                  until  state',
    'pr-128  prod@12  1.5.0    test-3  http://10.0.0.3:80/  16:40  serves',
    'pr-129  prod@12  1.5.0    test-3  http://10.0.0.3:80/  16:40  in trouble',
    '  ✗ test-3: web is not healthy',
    'anna    prod@12  1.4.0    test-3  http://10.0.0.3:80/  16:40  no answer',
    '  ! does not answer within 5 s',
    'bert    prod@12  1.4.0    test-3  http://10.0.0.3:80/  16:40  going',
    'carl    prod@12  1.4.0    test-3  http://10.0.0.3:80/  16:40  never goes',
    '  ! nothing removes it after its time: `lockage env up carl --ttl 4h` gives it one',
    'dora    prod@12  1.4.0    test-3  http://10.0.0.3:80/  16:40  not there',
    'emil    prod@12  1.4.0    test-3  http://10.0.0.3:80/  16:40  in trouble',
    '  ✗ its record is damaged',
    'old: its time was over at 16:40, nothing of it is left on test-3, and its record is gone',
  ]);
  expect(plain(environmentsLines({ rows: [], gone: [] }, now))).toEqual(['no environment with a time']);
});

test('on a narrow terminal what can be looked up otherwise is left out, and never the URL', () => {
  const rows = ['pr-128', 'a-pull-request-with-a-long-name'].map((name) => row(name, 'up'));
  const head = (width: number) =>
    plain(environmentsLines({ rows, gone: [] }, now, width))[0]
      ?.trim()
      .split(/ +/);
  expect(head(100)).toEqual(['from', 'version', 'host', 'URL', 'until', 'state']);
  expect(head(88)).toEqual(['from', 'version', 'URL', 'until', 'state']);
  expect(head(80)).toEqual(['version', 'URL', 'until', 'state']);
  expect(plain(environmentsLines({ rows, gone: [] }, now, 80)).every((line) => line.length <= 80)).toBe(true);
});

test('JSON has all of it', () => {
  expect(environmentsJson({ rows: [row('pr-128', 'up'), row('anna', 'silent')], gone: [made('old')] })).toMatchObject({
    environments: [
      {
        ...{ name: 'pr-128', from: { environment: 'prod', revision: 12 }, version: '1.5.0', state: 'serves' },
        ...{ host: { name: 'test-3', url: 'ssh://deploy@test-3' }, until: new Date(until * 1000).toISOString() },
        urls: [{ role: 'web', url: 'http://10.0.0.3:80/' }],
      },
      { name: 'anna', state: 'no answer', problems: ['does not answer within 5 s'] },
    ],
    gone: ['old'],
  });
});

test('a moment of another day has its date', () => {
  expect([clockText(at(9, 5), now), clockText(at(9, 5, 30), now)]).toEqual(['09:05', '2026-11-30 09:05']);
});

test('status and the end of `env up` say until when it is there', () => {
  const reproduces = { environment: 'prod', revision: 12, until: new Date(until * 1000).toISOString() };
  expect(plain(overviewLines([status('pr-128', { reproduces })], now)).at(-1)).toBe(
    '  made from revision 12 of prod, until 16:40',
  );
  const result = { outcome: 'unchanged' } as never;
  const lines = reproductionLines({
    reproduction: made('pr-128'),
    folder: '/srv/shop',
    differences: [],
    result,
    moved: 0,
  });
  expect(plain(lines)[1]).toMatch(
    /^until (2026-11-29 )?16:40, when test-3 removes it by itself \(`lockage env up pr-128 --ttl 8h`/,
  );
});

describe('an environment whose time is over', () => {
  let root: string;
  const engine = new PretendEngine();
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'lockage-time-'));
    await engine.listen(join(root, 'docker.sock'));
  });
  afterEach(async () => {
    engine.close();
    await rm(root, { recursive: true, force: true });
  });
  const found = (seconds: number, socket = 'docker.sock') => {
    const host = hostWith('test-3', { url: `unix://${join(root, socket)}` });
    const time = { ttl: 60_000, until: Math.floor(Date.now() / 1000) + seconds };
    return { folder: reproductionFolder(root, 'pr-128'), reproduction: made('pr-128', { host, time }) };
  };

  test('is refused in plain words once nothing of it is there, and not before its time', async () => {
    await refuseOver(found(60));
    expect(await overOf(found(60))).toBeUndefined();
    const over = found(-60);
    expect(await lifeOn(over)).toMatchObject({ kind: 'gone' });
    await expect(refuseOver(over)).rejects.toThrow(
      /^the time of pr-128 was over at .*: nothing of it is left on test-3$/,
    );
  });

  test('is there while its host has another deadline', async () => {
    const over = found(-60);
    const later = String(Math.floor(Date.now() / 1000) + 600);
    const Labels = { ...ownerLabels('shop', 'pr-128', 'reaper'), 'lockage.deadline': later };
    await new Engine({ host: 'test-3', socketPath: join(root, 'docker.sock') }).createContainer('reaper', { Labels });
    expect(await lifeOn(over)).toMatchObject({ kind: 'stays' });
    await new Engine({ host: 'test-3', socketPath: join(root, 'docker.sock') }).startContainer('reaper');
    expect(await lifeOn(over)).toMatchObject({ kind: 'up', until: Number(later) });
    await refuseOver(over);
  });

  test('is not known to be gone where its host does not answer', async () => {
    const silent = found(-60, 'none.sock');
    const life = await overOf(silent);
    expect(life).toMatchObject({ kind: 'silent', error: expect.stringContaining('none.sock') });
    expect(life && overText(silent, life)).toMatch(/and test-3 does not answer$/);
  });
});
