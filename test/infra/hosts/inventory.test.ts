import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ownerLabels } from '../../../infra/docker/labels.ts';
import { inventoryOf, removeInventory } from '../../../infra/hosts/inventory.ts';
import { hostWith } from '../../pipelines/model/values.ts';
import { contextIn } from '../../support/context-fixture.ts';
import { PretendEngine } from '../../support/pretend-engine.ts';

const place = { app: 'shop', environment: 'prod' };
let folder: string;
let pretend: PretendEngine;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lockage-inventory-'));
  pretend = new PretendEngine();
  pretend.declared = { db: ['/data'], web: ['/cache'] };
  await pretend.listen(join(folder, 'docker.sock'));
});

afterEach(() => {
  pretend.close();
  rmSync(folder, { recursive: true });
});

test.each([
  [false, 1],
  [true, 0],
])('what an accessory has in a volume that nobody named is data, and goes as such (%s)', async (withData, left) => {
  const host = hostWith('prod-1', { url: `unix://${folder}/docker.sock` });
  const engine = await contextIn(folder).engine(host);
  await engine.createContainer('shop-prod-db', { Image: 'db', Labels: ownerLabels('shop', 'prod', 'accessory') });
  const [data = ''] = pretend.volumes;
  await engine.createContainer('shop-prod-web', { Image: 'web', Labels: ownerLabels('shop', 'prod', 'release') });
  const found = await inventoryOf(engine, host, place, false);
  expect([found.data, found.volumes]).toEqual([[data], [[...pretend.volumes][1]]]);
  await removeInventory(engine, found, { withData, checkLock: async () => undefined });
  expect([pretend.containers(), [...pretend.volumes]]).toEqual([[], [data].slice(0, left)]);
});
