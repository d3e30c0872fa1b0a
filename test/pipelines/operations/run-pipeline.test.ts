import { describe, expect, test } from 'vitest';
import { BrokenError, LockedError, RolledBackError } from '../../../pipelines/errors.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import { runPipeline, type PipelineRequest } from '../../../pipelines/operations/run-pipeline.ts';
import { environment, host, release, role } from '../model/values.ts';
import { MemoryWorld } from './memory-world.ts';

const stage = (name: string, after: readonly string[], changes: Partial<Environment> = {}): Environment =>
  environment({ name, after, hosts: [host(`${name}-1`)], roles: [role({ hosts: [`${name}-1`] })], ...changes });

const auto = { promote: 'auto' } as const;

/** dev, then eu and us beside each other, then prod, which comes after both. */
function worldOf(changes: Readonly<Record<string, Partial<Environment>>> = {}): MemoryWorld {
  const world = new MemoryWorld([
    stage('dev', [], { ...auto, ...changes['dev'] }),
    stage('eu', ['dev'], { ...auto, ...changes['eu'] }),
    stage('us', ['dev'], { ...auto, ...changes['us'] }),
    stage('prod', ['eu', 'us'], { ...auto, ...changes['prod'] }),
  ]);
  world.releases = ['1.0.0', '2.0.0'].map((version) => release(version));
  return world;
}

const run = async (world: MemoryWorld, request: PipelineRequest = {}) => {
  const { environments } = await runPipeline(world.context(), request);
  return environments.map(({ environment: name, outcome }) => `${name}: ${outcome}`);
};

describe('a run of the pipeline', () => {
  test('brings the newest release through all environments that are promoted to by it, and again does nothing', async () => {
    const world = worldOf();
    expect(await run(world)).toEqual(['dev: promoted', 'eu: promoted', 'us: promoted', 'prod: promoted']);
    expect(world.place('prod').serves()).toEqual(['prod-1 web 2.0.0']);
    const before = world.state();
    expect(await run(world)).toEqual(['dev: runs', 'eu: runs', 'us: runs', 'prod: runs']);
    expect(world.state()).toBe(before);
  });

  test('stops where a person promotes, and goes on behind once that was done', async () => {
    const world = worldOf({ us: { promote: undefined as never } });
    expect(await run(world, { version: '1.0.0' })).toEqual([
      ...['dev: promoted', 'eu: promoted', 'us: by hand', 'prod: waits'],
    ]);
    await world.perform('promote', { version: '1.0.0', environment: 'us' });
    expect(await run(world, { version: '1.0.0' })).toEqual(['dev: runs', 'eu: runs', 'us: runs', 'prod: promoted']);
  });

  test('an environment that fails keeps away what comes after it, and nothing else', async () => {
    const world = worldOf();
    world.fail('stacks.deploy made', new RolledBackError('eu-1: web was not healthy'), 2);
    expect(await run(world)).toEqual(['dev: promoted', 'eu: failed', 'us: promoted', 'prod: waits']);
    world.calm();
    expect(await run(world)).toEqual(['dev: runs', 'eu: promoted', 'us: runs', 'prod: promoted']);
  });

  test('ends where something is left that a person has to look at', async () => {
    const world = worldOf();
    world.fail('hosts.preflight', new BrokenError('eu-1 serves nothing'), 3);
    expect(await run(world)).toEqual(['dev: promoted', 'eu: failed', 'us: not tried', 'prod: not tried']);
  });

  test('leaves an environment alone that somebody else changes', async () => {
    const world = worldOf();
    world.fail('hosts.lock', new LockedError('eu is locked'), 2);
    expect(await run(world)).toEqual(['dev: promoted', 'eu: locked', 'us: promoted', 'prod: waits']);
  });

  test('never brings an older release in where a newer one runs', async () => {
    const world = worldOf();
    await run(world);
    const before = world.state();
    expect(await run(world, { version: '1.0.0' })).toEqual(['dev: newer', 'eu: newer', 'us: newer', 'prod: newer']);
    expect(world.state()).toBe(before);
  });

  test('says what it would promote, and promotes nothing', async () => {
    const world = worldOf();
    const before = world.state();
    expect(await run(world, { planOnly: true })).toEqual([
      'dev: would promote',
      'eu: waits',
      'us: waits',
      'prod: waits',
    ]);
    expect(world.state()).toBe(before);
  });
});
