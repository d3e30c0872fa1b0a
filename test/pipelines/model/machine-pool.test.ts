import { describe, expect, test } from 'vitest';
import { containerSpecs } from '../../../pipelines/model/container-spec.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import { rollbackCandidates, sameContainers } from '../../../pipelines/model/ledger.ts';
import { currentPool, inPool, isInPool, ledgerInPool, numberOf } from '../../../pipelines/model/machine-pool.ts';
import { standbyAgain } from '../../../pipelines/planning/standby.ts';
import { environment, host, record, release, revision, role, spec } from './values.ts';

const machines = { kind: 'lxc', count: 2, memory: 1, cpus: 1 } as const;
const owner: Environment = environment({
  machines,
  hosts: [host('prod-1'), host('prod-2')],
  roles: [role({ hosts: ['prod-1', 'prod-2'] })],
});
const beside = inPool(owner, 'green');

describe('machines take over from others', () => {
  test('under names that tell them apart, which others get back in turn', () => {
    expect(beside.hosts.map(({ kind, name }) => [kind, name])).toEqual([
      ['pending', 'prod-1b'],
      ['pending', 'prod-2b'],
    ]);
    expect(beside.roles[0]?.hosts).toEqual(['prod-1b', 'prod-2b']);
    expect(inPool(beside, 'blue').hosts.map(({ name }) => name)).toEqual(['prod-1', 'prod-2']);
    expect(beside.hosts.map(({ name }) => [isInPool('green', 'prod', name), numberOf('prod', name)])).toEqual([
      [true, 1],
      [true, 2],
    ]);
  });

  test('and names of hosts that are no machines of the environment stay', () => {
    const { machines: _, ...own } = owner;
    expect(inPool(own, 'green')).toBe(own);
    expect(inPool({ ...owner, roles: [role({ hosts: ['web-1', 'prod-x'] })] }, 'green').roles[0]?.hosts).toEqual([
      'web-1',
      'prod-x',
    ]);
  });

  test('of which those serve that the record says, whatever else was made', () => {
    const on = (name: string) => record([revision(1, '1.0.0', { containers: [spec('web-1.0.0', name)] })]).ledger;
    expect(currentPool('prod', on('prod-1'), ['prod-1', 'prod-1b'])).toBe('blue');
    expect(currentPool('prod', on('prod-1b'), ['prod-1', 'prod-1b'])).toBe('green');
    expect(currentPool('prod', { revisions: [] }, ['prod-1b'])).toBe('green');
    expect(currentPool('prod', { revisions: [] }, [])).toBe('blue');
  });

  test('with a record that can be put back on them', () => {
    const made = (version: string, on: Environment) =>
      containerSpecs({ app: 'shop', environment: on, release: release(version), versions: {} });
    const revisions = [
      revision(1, '1.0.0', { containers: made('1.0.0', owner) }),
      revision(2, '2.0.0', { containers: made('2.0.0', owner), without: ['prod-2'] }),
    ];
    const moved = ledgerInPool('green', 'prod', { revisions });
    const [first, second] = moved.revisions;
    expect(second?.without).toEqual(['prod-2b']);
    expect(new Set(first?.containers.map(({ name }) => name)).size).toBe(2);
    expect(first?.containers.map(({ host: on, env }) => [on, env['LOCKAGE_HOST']])).toEqual([
      ['prod-1b', 'prod-1b'],
      ['prod-2b', 'prod-2b'],
    ]);
    expect(sameContainers({ containers: first?.containers ?? [] }, { containers: made('1.0.0', beside) })).toBe(true);
    expect(first?.containers[0]?.name).not.toBe(revisions[0]?.containers[0]?.name);

    const serving = made('2.0.0', beside).map((each) => ({ host: host(each.host), spec: each }));
    expect(standbyAgain(moved, 1, serving)).toEqual(first?.containers);
    expect(standbyAgain(moved, 0, serving)).toEqual([]);
    const image = revision(3, '2.0.0', { kind: 'image', containers: serving.map((each) => each.spec) });
    expect(rollbackCandidates({ revisions: [...moved.revisions, image] }).map(({ number }) => number)).toEqual([1]);
  });
});
