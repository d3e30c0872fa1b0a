import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { labels, ownerLabels } from '../../../infra/docker/labels.ts';
import { runtimeOf } from '../../../infra/workloads/runtimes.ts';
import { hostWith } from '../../pipelines/model/values.ts';
import { sessionIn } from '../../support/context-fixture.ts';
import { PretendEngine } from '../../support/pretend-engine.ts';

const place = { app: 'shop', environment: 'prod' };
let folder: string;
let host: PretendEngine;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lockage-migrations-'));
  host = new PretendEngine();
  await host.listen(join(folder, 'docker.sock'));
});
afterEach(() => {
  host.close();
  rmSync(folder, { recursive: true, force: true });
});

const target = () => hostWith('prod-1', { url: `unix://${folder}/docker.sock` });

async function make(name: string, role: string, runs = true): Promise<void> {
  const engine = await sessionIn(folder).connections.engine(target());
  const own = { ...ownerLabels('shop', 'prod', 'release'), [labels.role]: role, [labels.release]: '1.5.0' };
  await engine.createContainer(name, { Image: 'shop', Labels: own });
  if (runs) await engine.startContainer(name);
}

test('promoting what is recorded does not end a migration that runs', async () => {
  await make('shop-prod-migration-1234abcd', 'migration');
  await make('shop-prod-web-1234abcd-1', 'web');
  await make('shop-prod-worker-1234abcd-1', 'worker');
  const kept = new Set(['shop-prod-web-1234abcd-1']);
  const atWork = await runtimeOf(target()).removeOthers(sessionIn(folder), place, kept);
  expect(atWork).toMatchObject([{ host: 'prod-1', name: 'shop-prod-migration-1234abcd', version: '1.5.0' }]);
  expect(host.containers()).toEqual([
    'shop-prod-migration-1234abcd shop running',
    'shop-prod-web-1234abcd-1 shop running',
  ]);
});

test.each([
  ['a migration that has ended', 'shop-prod-migration-1234abcd', false],
  ['a container of a role that is called migration', 'shop-prod-migration-1234abcd-1', true],
])('%s goes with the others', async (_what, name, runs) => {
  await make(name, 'migration', runs);
  expect(await runtimeOf(target()).removeOthers(sessionIn(folder), place, new Set())).toEqual([]);
  expect(host.containers()).toEqual([]);
});
