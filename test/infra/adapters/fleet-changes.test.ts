import { readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { OperationName, RequestOf } from '../../../pipelines/operations/perform.ts';
import { Fleet, type Operator } from '../../support/simulation/fleet.ts';

const environment = 'prod';
const names = ['prod-1', 'prod-2', 'prod-3'];
let fleet: Fleet;
let anna: Operator;

beforeEach(async () => {
  fleet = await Fleet.start(names);
  anna = await fleet.operator('anna@desk');
  await succeed('promote', { environment, version: '1.0.0' });
});
afterEach(() => fleet.close());

async function succeed<Name extends OperationName>(name: Name, request: RequestOf<Name>): Promise<void> {
  const { code, error } = await fleet.run(anna, name, request);
  expect([code, error]).toEqual([0, undefined]);
}

test('of three hosts, two that died together are taken out of service, one after the other, and come back', async () => {
  fleet.unplugged = ['prod-2', 'prod-3'];
  await succeed('cordon', { environment, host: 'prod-2' });
  await succeed('cordon', { environment, host: 'prod-3' });
  await succeed('promote', { environment, version: '2.0.0' });
  expect(await fleet.answers()).toContain('prod-1 2.0.0');
  fleet.unplugged = undefined;
  await succeed('uncordon', { environment, host: 'prod-2' });
  await succeed('uncordon', { environment, host: 'prod-3' });
  expect(await fleet.answers()).toEqual(names.map((name) => `${name} 2.0.0`));
  expect(await fleet.drift(anna)).toEqual([]);
});

test('a host that all roles were taken from answers nobody with what it keeps, until that is gone back to', async () => {
  fleet.places = ['prod-1', 'prod-2'];
  await succeed('promote', { environment, version: '2.0.0' });
  expect(await fleet.answers()).toEqual(['prod-1 2.0.0', 'prod-2 2.0.0', expect.stringContaining('prod-3 status 50')]);
  expect(await fleet.drift(anna)).toEqual([]);
  await succeed('rollback', { environment, startedAt: Date.now() });
  expect(await fleet.answers()).toEqual(names.map((name) => `${name} 1.0.0`));
  expect(await fleet.drift(anna)).toEqual([]);
});

test('where it still does, as an earlier version left it, drift says so, and the same promotion ends it', async () => {
  const { runner, volumes } = fleet.engine('prod-3');
  const live = [...volumes.keys()].find((name) => name.endsWith('-live')) ?? '';
  const now = join(runner.volumeFolder(live), 'now');
  const before = readlinkSync(now);
  fleet.places = ['prod-1', 'prod-2'];
  await succeed('promote', { environment, version: '2.0.0' });
  rmSync(now);
  symlinkSync(before, now);
  expect(await fleet.answers()).toContain('prod-3 1.0.0');
  expect(await fleet.drift(anna)).toEqual([expect.stringMatching(/^prod-3 shop-prod-edge /)]);
  await succeed('promote', { environment, version: '2.0.0' });
  expect(await fleet.drift(anna)).toEqual([]);
});
