import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Engine } from '../../../infra/docker/api/client.ts';
import { ownerLabels } from '../../../infra/docker/labels.ts';
import { visitFromHost } from '../../../infra/edge/visit-from-host.ts';
import { proofLabels } from '../../../infra/workloads/backup-proofs.ts';
import { runtimeOf } from '../../../infra/workloads/runtimes.ts';
import { hostWith, record } from '../../pipelines/model/values.ts';
import { sessionIn } from '../../support/context-fixture.ts';
import { PretendEngine } from '../../support/pretend-engine.ts';

const place = { app: 'shop', environment: 'prod' };
let folder: string;
let host: PretendEngine;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lockage-passing-'));
  host = new PretendEngine();
  await host.listen(join(folder, 'docker.sock'));
  await make('shop-prod-edge', 'edge');
});
afterEach(() => {
  host.close();
  rmSync(folder, { recursive: true, force: true });
});

const target = () => hostWith('prod-1', { url: `unix://${folder}/docker.sock` });
const engine = (): Promise<Engine> => sessionIn(folder).connections.engine(target());

async function make(name: string, part: string): Promise<void> {
  const found = await engine();
  await found.createContainer(name, { Image: 'caddy', Labels: ownerLabels('shop', 'prod', part) });
  await found.startContainer(name);
}

const visit = async () => visitFromHost(await engine(), 'shop-prod-edge', ['127.0.0.1', '0'], { deadline: 2000 });
const others = () => host.containers().filter((each) => !each.startsWith('shop-prod-edge caddy'));
const promoted = () => runtimeOf(target()).removeOthers(sessionIn(folder), place, new Set());

test('an edge that was tried by a command that was killed goes with the next promotion, and no visit that goes on', async () => {
  await make('shop-prod-edge.trial', 'edge-trial');
  await make('shop-prod-edge-visit-1', 'edge-visit');
  await promoted();
  expect(others()).toEqual(['shop-prod-edge-visit-1 caddy running']);
});

test('the proof of a backup goes with the next promotion once its command is gone, and not while it works', async () => {
  const proof = async (name: string, labelled: Record<string, string>) => {
    await (
      await engine()
    ).createContainer(name, { Image: 'db', Labels: { ...(await proofLabels(place)), ...labelled } });
  };
  await proof('shop-prod-db.trial-1', {});
  const [, ...space] = (await proofLabels(place))['lockage.process']?.split(' ') ?? [];
  await proof('shop-prod-db.trial-2', { 'lockage.process': `${2 ** 22 + 1} ${space.join(' ')}` });
  await proof('shop-prod-db.trial-3', { 'lockage.process': '1 another computer' });
  await promoted();
  expect(others()).toEqual(['shop-prod-db.trial-1 db created', 'shop-prod-db.trial-3 db created']);
});

describe('who visits public ports for a command', () => {
  const inventory = async () => {
    const { containers } = await runtimeOf(target()).inventory(await engine(), place, false);
    return containers.map(({ name }) => name);
  };

  test('is gone afterwards, also where the answer that it was made is lost', async () => {
    host.changes.length = 0;
    host.loses = 1;
    await expect(visit()).rejects.toThrow();
    expect(host.changes).toEqual([
      expect.stringMatching(/^create shop-prod-edge-visit-/),
      expect.stringMatching(/^remove shop-prod-edge-visit-/),
    ]);
    expect(others()).toEqual([]);
  });

  test('is nothing that status shows, and nothing that destroy has to wait for', async () => {
    await make('shop-prod-edge-visit-1', 'edge-visit');
    const look = { ...place, record: record([]), detailed: false, signal: new AbortController().signal };
    const { containers } = await runtimeOf(target()).view(await engine(), look);
    expect(containers.map(({ name }) => name)).toEqual(['shop-prod-edge']);
    expect(await inventory()).toEqual(['shop-prod-edge']);
  });

  test('is removed by destroy or with the next promotion when that command was killed', async () => {
    host.changes.length = 0;
    [host.loses, host.staysDead] = [1, true];
    await expect(visit()).rejects.toThrow();
    host.revive();
    expect(await inventory()).toEqual(['shop-prod-edge', expect.stringMatching(/^shop-prod-edge-visit-/)]);
    await promoted();
    expect(others()).toEqual([]);
  });
});
