import { describe, expect, test } from 'vitest';
import { resting } from '../../../infra/programs/release.ts';
import type { DesiredState } from '../../../pipelines/model/desired-state.ts';
import type { Role } from '../../../pipelines/model/environment.ts';
import { withRevision } from '../../../pipelines/model/ledger.ts';
import { besides, rolesNotTried } from '../../../pipelines/planning/drilled-state.ts';
import { recordedState } from '../../../pipelines/planning/recorded-state.ts';
import { refusal, role } from '../model/values.ts';
import { broken, carriedOut, configured, planned, plannedBack, released, scene, type Scene } from './scene.ts';

const { route: _, ...withoutRoute } = role({ name: 'worker' });
const worker: Role = { ...withoutRoute, replace: 'stop-first', health: { ...withoutRoute.health, timeout: 60_000 } };
const alone: Role = role({ name: 'alone', route: { publish: 81, port: 8080 }, replace: 'stop-first' });
const roles = [role(), alone, worker];
const empty = scene(['prod-1'], { roles });
const second = released(empty, '1.0.0', '2.0.0');

const named = (list: readonly { spec: { role: string; version: string } }[] = []) =>
  list.map(({ spec }) => `${spec.role} ${spec.version}`).sort();

function recorded(record: Scene['record'], { operation, turn }: DesiredState): DesiredState {
  return recordedState({ app: 'shop', environment: 'prod' }, record, record.ledger, { operation, turn });
}

/** The same after the operation was killed when these had ended. */
function killed(before: Scene, ended: string): Scene {
  const { desired, revision } = planned(before, '3.0.0');
  const pending = [{ ...revision, result: 'unfinished' as const, operation: 'op0' }];
  const containers = [...before.record.containers, ...desired.serving];
  return broken({ ...before, record: { ...before.record, containers, pending } }, ended);
}

describe('roles of which two at once are wrong', () => {
  test('start when those before them have ended, and nobody falls back on these', () => {
    const { desired } = planned(second, '3.0.0');
    expect(desired.stopFirst?.roles).toEqual(['alone', 'worker']);
    expect(named(desired.stopFirst?.start)).toEqual(['alone 3.0.0', 'worker 3.0.0']);
    expect(named(desired.stopFirst?.before)).toEqual(['alone 2.0.0', 'worker 2.0.0']);
    expect(named(desired.fallback)).toEqual(['web 2.0.0']);
    expect(named(desired.standby)).toEqual(['alone 2.0.0', 'web 2.0.0', 'worker 2.0.0']);
  });

  test('that stay as they are need no turn', () => {
    expect(planned(second, '2.0.0')).toMatchObject({ unchanged: true });
    expect(planned(second, '2.0.0').desired.stopFirst).toBeUndefined();
    expect(planned(released(scene(), '1.0.0'), '2.0.0').desired.stopFirst).toBeUndefined();
  });

  test.each<[string, Role[], Role[]]>([
    ['before, or', [role({ name: 'alone', replace: 'stop-first' })], [role({ name: 'alone' })]],
    ['after a change', [role({ name: 'alone' })], [role({ name: 'alone', replace: 'stop-first' })]],
  ])('are never two, said %s of the configuration', (_case, before, after) => {
    const first = released(scene(['prod-1'], { roles: before }), '1.0.0');
    const { desired } = planned(configured(first, { roles: after }), '2.0.0');
    expect(named(desired.stopFirst?.before)).toEqual(['alone 1.0.0']);
  });

  test('keep no standby that was made to run beside them: going back makes it again', () => {
    const first = released(scene(['prod-1'], { roles: [role()] }), '1.0.0');
    const next = carriedOut(first, planned(configured(first, { roles: [role({ replace: 'stop-first' })] }), '2.0.0'));
    expect(named(next.record.containers)).toEqual(['web 2.0.0']);
    expect(plannedBack(next)).toMatchObject({ standby: false, switches: false });
  });

  test.each<[string, Role[], Role[]]>([
    ['what serves', [role()], [role({ replace: 'stop-first' })]],
    ['what would', [role({ replace: 'stop-first' })], [role()]],
    ['both', [role({ replace: 'stop-first' })], [role({ replace: 'stop-first' })]],
  ])('are not tried in a drill, by %s', (_case, before, after) => {
    const first = released(scene(['prod-1'], { roles: before }), '1.0.0');
    const { record } = carriedOut(first, planned(configured(first, { roles: after }), '2.0.0'));
    const { desired } = plannedBack({ ...first, record });
    const now = recorded(record, desired);
    const tried = besides(now, desired);
    expect([named(tried.again), named(tried.verify)]).toEqual([['web 1.0.0'], []]);
    expect(rolesNotTried(record, desired)).toEqual(['web']);
    const [other] = tried.again ?? [];
    expect(other && resting(tried, other)).toEqual({ rests: true });
  });

  test('do not keep other roles from being tried', () => {
    const first = released(scene(['prod-1'], { roles: [role(), worker] }), '1.0.0', '2.0.0');
    const { desired } = plannedBack(first);
    const now = recorded(first.record, desired);
    const tried = besides(now, desired);
    expect(named(tried.verify)).toEqual(['web 1.0.0']);
    expect(tried.verify.map((placed) => resting(tried, placed))).toEqual([{}]);
    expect(rolesNotTried(first.record, desired)).toEqual(['worker']);
  });

  test('go back over the barrier where they get traffic, to the same containers', () => {
    const back = plannedBack(second);
    expect(back).toMatchObject({ standby: true, switches: false });
    expect(named(back.desired.stopFirst?.start)).toEqual(['alone 1.0.0', 'worker 1.0.0']);
    expect(named(back.desired.again)).toEqual(['web 1.0.0']);
  });

  test('go back by a switch where they get none', () => {
    const back = plannedBack(released(scene(['prod-1'], { roles: [role(), worker] }), '1.0.0', '2.0.0'));
    expect(back).toMatchObject({ standby: true, switches: true });
    expect(back.desired.stopFirst).toBeUndefined();
  });

  test('are started as they are when an operation was killed that had stopped them, and replaced when they ended by themselves', () => {
    const again = planned(killed(second, 'worker'), '2.0.0');
    expect(named(again.desired.stopFirst?.start)).toEqual(['worker 2.0.0']);
    expect(again.desired.serving.map(({ spec }) => spec.name)).toEqual(
      planned(second, '2.0.0').desired.serving.map(({ spec }) => spec.name),
    );
    expect(planned(broken(second, 'worker'), '2.0.0').revision.kind).toBe('repair');
  });

  test('are stopped again when they fail, also those that a killed operation had started', () => {
    const left = killed(second, 'worker');
    const own = new Set(left.record.containers.map(({ spec }) => spec.name));
    const reports = left.environment.hosts.map((place) => {
      const running = new Set([...own].filter((name) => !left.stopped.includes(name)));
      return { host: place, running, present: own, foreign: new Set<string>(), edge: true, warnings: [] };
    });
    const { desired } = planned(left, '3.0.0', { reports });
    expect(named(desired.stopFirst?.start)).toEqual(['alone 3.0.0', 'worker 3.0.0']);
    expect(named(desired.stopFirst?.before)).toEqual(['alone 2.0.0', 'worker 2.0.0']);
    expect(desired.wake).toEqual([]);
  });

  test('cost a gap, which the plan tells: at most, and how long it was the last time', () => {
    const cost = (now: Scene) => planned(now, '3.0.0').plan.notes.join('\n');
    expect(planned(empty, '1.0.0').plan.notes.join('\n')).not.toMatch(/stopped before/);
    expect(cost(second)).toMatch(
      /alone is stopped before the next one starts: nobody does its work for a while \(at most 70 s: 10 s to stop, 60 s until healthy\); visitors of port 81 wait, or get 502, meanwhile/,
    );
    expect(cost(second)).toMatch(/worker is stopped .* until healthy\)$/m);
    const { ledger } = second.record;
    const last = ledger.revisions.at(-1);
    if (!last) throw new Error('no revision');
    const measured = withRevision(
      { ...ledger, revisions: ledger.revisions.slice(0, -1) },
      { ...last, gaps: { worker: 4200 } },
    );
    expect(cost({ ...second, record: { ...second.record, ledger: measured } })).toMatch(
      /worker is stopped .*\(about 4\.2 s as at revision 2, at most 70 s/,
    );
  });

  test('refuse machines that would run them beside those that serve', () => {
    const hosts = second.environment.hosts;
    expect(refusal(() => planned(second, '2.0.0', { replaces: hosts }))).toMatch(/two at once are wrong/);
  });
});
