import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { withBlocks } from '../../../pipelines/inspection/blocked.ts';
import { historyOf, releaseStatuses } from '../../../pipelines/inspection/history.ts';
import { soundnessOf, type EnvironmentStatus } from '../../../pipelines/inspection/status.ts';
import type { Gate } from '../../../pipelines/model/gate.ts';
import type { Plan } from '../../../pipelines/model/plan.ts';
import { whyLines } from '../../../scripts/cli/views/gates.ts';
import { historyLines, releaseLines } from '../../../scripts/cli/views/history.ts';
import { planLines } from '../../../scripts/cli/views/plan.ts';
import { environmentLines, overviewLines } from '../../../scripts/cli/views/status.ts';
import { record, release, revision } from '../../pipelines/model/values.ts';

const now = Date.parse('2026-01-01T12:05:00.000Z');
const noon = '2026-01-01T12:00:00.000Z';
const plain = (lines: readonly string[]) => lines.map(stripVTControlCharacters);
const block = {
  version: '2.0.0',
  digest: release('2.0.0').digest,
  since: noon,
  actor: 'ben@ci',
  reason: 'loses orders\nsee ticket 12',
};
const ran = record([revision(1, '1.0.0'), revision(2, '2.0.0')]);

const gates: readonly Gate[] = [
  { gate: 'hold', met: false, text: 'prod is on hold', by: 'anna@desk', command: 'lockage resume prod' },
  { gate: 'upstream', from: 'qa', met: true, text: '1.0.0 ran well in qa' },
  { gate: 'soak', from: 'qa', met: false, text: '1.0.0 has served 1 h in qa', until: '2026-01-01T13:00:00.000Z' },
  { gate: 'clock', met: false, text: 'a clock is wrong', remedy: 'Set it.' },
];

test('every gate has a line, with until when it is closed and what helps', () => {
  expect(plain(whyLines({ version: '1.0.0', environment: 'prod', mayEnter: false, gates }))).toEqual([
    '  ✗  hold         prod is on hold             `lockage resume prod`',
    '  ✓  upstream qa  1.0.0 ran well in qa',
    '  ✗  soak qa      1.0.0 has served 1 h in qa  opens 2026-01-01 13:00 UTC',
    '  ✗  clock        a clock is wrong            Set it.',
    '1.0.0 may not enter prod: 3 of 4 gates are closed',
  ]);
  expect(plain(whyLines({ version: '1.0.0', environment: 'prod', mayEnter: true, gates: [] }))).toEqual([
    '1.0.0 may enter prod',
  ]);
});

test('a plan shows what the release has passed', () => {
  const plan: Plan = {
    ...{ kind: 'promote', environment: 'prod', number: 3, release: release('1.0.0') },
    ...{ containers: [], differences: [], migration: false, notes: [] },
    gates: gates.filter(({ met }) => met),
  };
  expect(plain(planLines(plan))).toEqual([
    'prod: promote 1.0.0 (111111111111, revision 3, nothing runs yet)',
    '  ✓ 1.0.0 ran well in qa',
  ]);
});

test('releases and a history say what is blocked, by whom and why', () => {
  const releases = [release('1.0.0'), release('2.0.0')];
  const statuses = releaseStatuses({ releases, blocks: [block] }, [['prod', ran]]);
  const [, newest] = plain(releaseLines(statuses, now));
  expect(newest).toMatch(/blocked by ben@ci 5 min ago: loses orders; runs in prod$/);
  const history = plain(historyLines(historyOf('prod', { record: ran, blocks: [block] }, { limit: 20 }), now));
  expect(history.filter((line) => /blocked/i.test(line))).toEqual([
    expect.stringMatching(/^> +2 +promote +2\.0\.0 blocked +succeeded/),
    'BLOCKED 2.0.0 by ben@ci 5 min ago: loses orders',
  ]);
});

const prod: EnvironmentStatus = {
  ...{ name: 'prod', version: '2.0.0', digest: release('2.0.0').digest, revision: 2, since: noon, actor: 'anna@desk' },
  ...{ hosts: { ready: 1, total: 1 }, problems: [], cordons: [] },
  rollback: [{ version: '1.0.0', revision: 1, from: 'standby' }],
};

test('an environment that runs a blocked release has a problem, with what helps', () => {
  const status = withBlocks(prod, ran, [block]);
  const problem =
    '  ✗ prod runs 2.0.0, which is blocked since 2026-01-01 12:00 UTC by ben@ci: loses orders (`lockage rollback prod` takes it back)';
  expect(plain(overviewLines([status], now))).toContain(problem);
  expect(plain(environmentLines(status, [], now))).toContain(problem);
  expect(soundnessOf([status])).toBe('in part');
  expect(soundnessOf([withBlocks(prod, ran, [])])).toBe('sound');
});

test('a blocked release is no way back', () => {
  const other = { ...block, version: '1.0.0', digest: release('1.0.0').digest };
  expect(withBlocks(prod, ran, [other]).rollback).toEqual([]);
  expect(withBlocks(prod, ran, []).rollback).toEqual(prod.rollback);
});
