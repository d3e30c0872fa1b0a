import { describe, expect, test } from 'vitest';
import {
  onActiveHosts,
  onCordonedHosts,
  withCordon,
  withoutCordon,
  withoutCordoned,
  withoutPending,
} from '../../../pipelines/model/cordons.ts';
import { rollbackCandidates, sameContainers } from '../../../pipelines/model/ledger.ts';
import type { Cordon } from '../../../pipelines/model/revision.ts';
import { pending } from '../../../pipelines/model/target.ts';
import { standbyFor } from '../../../pipelines/planning/standby.ts';
import { refuseOtherHosts } from '../../../pipelines/policy/unchanged.ts';
import { environment, host, placed, record, refusal, revision, role, spec } from './values.ts';

const cordon = (name: string): Cordon => ({ host: name, since: '2026-01-01T12:00:00Z', actor: 'anna', reason: 'dead' });
const cordons = [cordon('prod-2')];
const prod = environment({
  hosts: [host('prod-1'), host('prod-2')],
  roles: [role({ hosts: ['prod-1', 'prod-2'] })],
});
const [here, there] = [placed('web-1.0.0'), placed('web-1.0.0', 'prod-2')];

describe('a cordoned host', () => {
  test('is no host of its environment for what is done next', () => {
    const left = withoutCordoned(prod, { revisions: [], cordons });
    expect(left.hosts.map(({ name }) => name)).toEqual(['prod-1']);
    expect(left.roles[0]?.hosts).toEqual(['prod-1']);
    expect(withoutCordoned(prod, { revisions: [] })).toBe(prod);
  });

  test('keeps its containers, which nobody can remove now', () => {
    const ledger = { revisions: [revision(1, '1.0.0')], cordons };
    expect(onActiveHosts(ledger, [here, there])).toEqual([here]);
    expect(onCordonedHosts(record([], [here, there], { cordons }))).toEqual([there]);
    const kept = standbyFor(record([], [here, there], { cordons }), 0, [placed('web-2.0.0')]);
    expect(kept).toEqual([there]);
  });

  test('makes no other revision of one that it missed: a rollback does not lead there', () => {
    const both = revision(3, '2.0.0', { containers: [spec('web-2.0.0'), spec('web-2.0.0', 'prod-2')] });
    const partial = revision(2, '2.0.0', { without: ['prod-2'] });
    expect(sameContainers(both, partial)).toBe(true);
    expect(sameContainers(both, { ...partial, without: [] })).toBe(false);
    const ledger = { revisions: [revision(1, '1.0.0', { containers: [here.spec, there.spec] }), partial, both] };
    expect(rollbackCandidates(ledger).map(({ number }) => number)).toEqual([1]);
  });

  test('is not left out of going back to a revision that it missed, if it ran the same before', () => {
    const first = revision(1, '1.0.0', { containers: [here.spec, there.spec] });
    const again = revision(3, '1.0.0', { containers: [here.spec], without: ['prod-2'] });
    const now = revision(4, '3.0.0', { containers: [spec('web-3.0.0'), spec('web-3.0.0', 'prod-2')] });
    const [target] = rollbackCandidates({ revisions: [first, again, now] });
    expect(target).toMatchObject({ number: 3, containers: [here.spec, there.spec] });
    expect(target?.without).toBeUndefined();
    const [never] = rollbackCandidates({ revisions: [again, now] });
    expect(never).toMatchObject({ number: 3, containers: [here.spec], without: ['prod-2'] });
  });

  test('is cordoned once, and is back when its cordon is gone', () => {
    const ledger = withCordon(withCordon({ revisions: [] }, cordon('prod-2')), { ...cordon('prod-2'), reason: 'disk' });
    expect(ledger.cordons?.map(({ reason }) => reason)).toEqual(['disk']);
    expect(withoutCordon(ledger, 'prod-2')).toEqual({ revisions: [] });
  });
});

test('what was prepared for some hosts is not carried out on others', () => {
  const [before, after] = [record([]), record([], [], { cordons })];
  expect(refusal(() => refuseOtherHosts(prod, before, before))).toBe('no refusal');
  expect(refusal(() => refuseOtherHosts(prod, before, after))).toMatch(
    /^the hosts of prod that are in service have just changed/,
  );
});

test('a machine that is configured but not made yet is left out of what makes none', () => {
  const more = { ...prod, hosts: [host('prod-1'), pending('prod-2')] };
  expect(withoutPending(more).hosts.map(({ name }) => name)).toEqual(['prod-1']);
  expect(withoutPending(more).roles[0]?.hosts).toEqual(['prod-1']);
  expect(withoutPending(prod)).toBe(prod);
});
