import { expect, test } from 'vitest';
import type { HostReport } from '../../../pipelines/model/host-report.ts';
import { planRollback } from '../../../pipelines/planning/plan-rollback.ts';
import { environment, host, placed, record, revision, spec } from '../model/values.ts';

const both = (version: string) => [`web-${version}`, `worker-${version}`];
const revisionOf = (number: number, version: string) =>
  revision(number, version, { containers: both(version).map((name) => spec(name)) });
const target = revisionOf(1, '1.0.0');
const known = record(
  [target, revisionOf(2, '2.0.0')],
  [...both('1.0.0'), ...both('2.0.0')].map((name) => placed(name)),
);

/** A rollback to 1.0.0 on a host that has these containers of it, and all of 2.0.0. */
function rollback(running: readonly string[], resting: readonly string[] = []) {
  const now = [...running, ...both('2.0.0')];
  const report: HostReport = {
    host: host('prod-1'),
    running: new Set(now),
    present: new Set([...now, ...resting]),
    foreign: new Set(),
    edge: true,
    warnings: [],
  };
  const who = { app: 'shop', actor: 'anna@desk', now: 0, operation: 'x' };
  const plan = planRollback({ ...who, environment: environment(), record: known, reports: [report], target });
  const actions = plan.plan.containers.map(({ action, name }) => `${action} ${name}`);
  return { actions, again: plan.desired.again?.map((each) => each.spec.name), standby: plan.standby };
}

test('a standby that runs, with a worker that rests, is switched to as it is', () => {
  const { again, standby } = rollback(['web-1.0.0'], ['worker-1.0.0']);
  expect([standby, again]).toEqual([true, undefined]);
});

test.each([
  ['was removed', [], [], ['create web-1.0.0', 'create worker-1.0.0']],
  ['lost its worker', ['web-1.0.0'], [], ['serve web-1.0.0', 'create worker-1.0.0']],
  ['was stopped', [], both('1.0.0'), ['create web-1.0.0', 'serve worker-1.0.0']],
])('a standby that %s is made again, whatever is recorded', (_case, running, resting, expected) => {
  const { actions, again, standby } = rollback(running, resting);
  expect([standby, again]).toEqual([false, both('1.0.0')]);
  expect(actions.slice(0, 2)).toEqual(expected);
});
