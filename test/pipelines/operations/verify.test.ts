import { describe, expect, test } from 'vitest';
import { LockageError, RolledBackError } from '../../../pipelines/errors.ts';
import type { VerificationJob } from '../../../pipelines/model/verification.ts';
import { VerificationFailedError } from '../../../pipelines/model/verification-failed.ts';
import { why } from '../../../pipelines/operations/why.ts';
import { environment, host, release, role } from '../model/values.ts';
import { MemoryWorld } from './memory-world.ts';
import { errorOf, everywhere, onHosts, onMachines, worldOf } from './situations.ts';

const job = (name: string, changes: Partial<VerificationJob> = {}): VerificationJob => ({
  ...{ name, command: ['node', 'smoke.mjs'], env: {}, secrets: [], timeout: 120_000, retries: 0, ...changes },
});

const smoke = job('smoke');
const qa = (...verification: VerificationJob[]) =>
  environment({ name: 'qa', hosts: [host('qa-1')], roles: [role({ hosts: ['qa-1'] })], verification });

function behindQa(...jobs: VerificationJob[]): MemoryWorld {
  const world = new MemoryWorld([qa(...jobs), onHosts({ after: ['qa'] })]);
  world.releases = ['1.0.0', '2.0.0'].map((version) => release(version));
  return world;
}

const gateOf = async (world: MemoryWorld, version = '1.0.0') => {
  const { gates } = await why(world.context(), { version, environment: 'prod' });
  return gates.find(({ gate }) => gate === 'verification');
};

const toQa = { environment: 'qa', version: '1.0.0' };

describe('the jobs of an environment', () => {
  test('that pass are recorded with the revision, and open the gate of the next environment', async () => {
    const world = behindQa(smoke, job('load', { image: 'registry.example.com/k6:1' }));
    await world.perform('promote', toQa);
    const [recorded] = world.place('qa').record.ledger.revisions;
    expect(recorded?.verification?.map(({ job: name, image }) => [name, image])).toEqual([
      ['smoke', `registry.example.com/shop@${release('1.0.0').digest}`],
      ['load', 'registry.example.com/k6:1@pinned'],
    ]);
    expect(await gateOf(world)).toMatchObject({ met: true, text: '1.0.0 passed smoke, load in qa' });
    await world.perform('promote', { ...toQa, environment: 'prod' });
    expect(world.place().serves()).toEqual(everywhere('1.0.0'));
  });

  test('one that fails takes the release back, and its output is kept', async () => {
    const world = await worldOf(onHosts({ verification: [smoke] }), '1.0.0');
    world.failing.add('smoke');
    const error = await errorOf(world, 'promote', { environment: 'prod', version: '2.0.0' });
    expect(error).toBeInstanceOf(RolledBackError);
    expect(error instanceof LockageError && error.details).toContain('smoke says no');
    expect(world.place().serves()).toEqual(everywhere('1.0.0'));
    const last = world.place().record.ledger.revisions.at(-1);
    expect([last?.result, last?.verification?.[0]?.log]).toEqual(['failed', ['smoke says no']]);
  });

  test('one that is added later closes the gate until it was run by itself', async () => {
    const world = behindQa();
    await world.perform('promote', toQa);
    Object.assign(world.place('qa').configured, { verification: [smoke] });
    expect(await gateOf(world)).toMatchObject({
      ...{ met: false, text: '1.0.0 is not verified in qa: smoke was not run', command: 'lockage verify qa' },
    });
    const { results, revision } = await world.perform('verify', { environment: 'qa' });
    expect([results.map(({ passed }) => passed), revision]).toEqual([[true], 1]);
    expect(await gateOf(world)).toMatchObject({ met: true });
  });

  test('one that is configured otherwise is not the one that passed', async () => {
    const world = behindQa(smoke);
    await world.perform('promote', toQa);
    Object.assign(world.place('qa').configured, { verification: [job('smoke', { command: ['node', 'all.mjs'] })] });
    expect((await gateOf(world))?.text).toBe('1.0.0 is not verified in qa: smoke was run as it was configured before');
    // How long it may take, and how often it is tried, says nothing of what it shows.
    Object.assign(world.place('qa').configured, { verification: [job('smoke', { timeout: 1000, retries: 2 })] });
    expect(await gateOf(world)).toMatchObject({ met: true });
  });

  test('one that fails on demand closes the gate, leaves what serves, and opens it by passing', async () => {
    const world = behindQa(smoke, job('load'));
    await world.perform('promote', toQa);
    const before = world.place('qa').serves();
    world.failing.add('load');
    const error = await errorOf(world, 'verify', { environment: 'qa', job: 'load' });
    expect(error).toBeInstanceOf(VerificationFailedError);
    expect(world.place('qa').serves()).toEqual(before);
    expect((await gateOf(world))?.text).toBe('1.0.0 is not verified in qa: load failed (exit code 1)');
    world.failing.clear();
    await world.perform('verify', { environment: 'qa', job: 'load' });
    expect(await gateOf(world)).toMatchObject({ met: true });
  });

  test('are asked of each environment that comes before', async () => {
    const us = { ...qa(smoke), name: 'us', hosts: [host('us-1')], roles: [role({ hosts: ['us-1'] })] };
    const world = new MemoryWorld([qa(smoke), us, onHosts({ after: ['qa', 'us'] })]);
    world.releases = [release('1.0.0')];
    await world.perform('promote', toQa);
    const closed = async () => {
      const { gates } = await why(world.context(), { version: '1.0.0', environment: 'prod' });
      return gates.filter(({ met }) => !met).map(({ gate, from }) => `${gate} ${from}`);
    };
    expect(await closed()).toEqual(['upstream us', 'verification us']);
    await world.perform('promote', { ...toQa, environment: 'us' });
    expect(await closed()).toEqual([]);
  });

  test('of another release counts nothing, and the gate names the promotion', async () => {
    const world = behindQa(smoke);
    await world.perform('promote', { ...toQa, version: '2.0.0' });
    expect(await gateOf(world)).toMatchObject({ met: false, command: 'lockage promote 1.0.0 --to qa' });
  });

  test.each([
    ['a rollback', 'rollback', { environment: 'prod', startedAt: 0 }],
    ['a drill', 'drill', { environment: 'prod', startedAt: 0 }],
    ['a promotion of what runs', 'promote', { environment: 'prod', version: '2.0.0' }],
  ] as const)('keep %s from nothing', async (_, name, request) => {
    const world = await worldOf(onHosts({ verification: [smoke] }), '1.0.0', '2.0.0');
    world.failing.add('smoke');
    expect(await errorOf(world, name, request as never)).toBeUndefined();
  });

  test('are asked of machines that take over', async () => {
    const world = await worldOf({ ...onMachines(), verification: [smoke] }, '1.0.0');
    world.failing.add('smoke');
    const request = { environment: 'prod', version: '1.1.0' };
    expect(await errorOf(world, 'replaceMachines', request as never)).toBeInstanceOf(RolledBackError);
    expect(world.place().serves()).toEqual(everywhere('1.0.0'));
  });

  test('that do not exist are refused with the names of those that do', async () => {
    const world = behindQa(smoke);
    await world.perform('promote', toQa);
    const error = await errorOf(world, 'verify', { environment: 'qa', job: 'smok' });
    expect([error?.message, world.changes]).toEqual(['qa has no job "smok", did you mean smoke?', []]);
  });
});
