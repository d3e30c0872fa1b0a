import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ownerLabels } from '../../../infra/docker/labels.ts';
import { runJobs } from '../../../infra/provider/run-jobs.ts';
import { runtimeOf } from '../../../infra/workloads/runtimes.ts';
import { OvertakenError } from '../../../pipelines/errors.ts';
import { hostWith, spec } from '../../pipelines/model/values.ts';
import { contextIn } from '../../support/context-fixture.ts';
import { PretendEngine } from '../../support/pretend-engine.ts';

const place = { app: 'shop', environment: 'prod' };
let folder: string;
let host: PretendEngine;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lockage-overtaken-'));
  host = new PretendEngine();
  await host.listen(join(folder, 'docker.sock'));
});
afterEach(() => {
  host.close();
  rmSync(folder, { recursive: true, force: true });
});

const target = () => hostWith('prod-1', { url: `unix://${folder}/docker.sock` });

/** The lock of a command that somebody takes over once it was asked about it that many times. */
function lockUntil(times: number) {
  let asked = 0;
  return async () => {
    if ((asked += 1) > times) throw new OvertakenError('another operation has taken over prod');
  };
}

const thrown = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('whoever was overtaken', () => {
  test('makes no container for a job any more', async () => {
    const job = { host: target(), job: 'smoke', definition: 'smoke', timeout: 1000, retries: 1 };
    const context = { ...contextIn(folder), checkLock: lockUntil(0) };
    const work = runJobs(context, place, [{ ...job, spec: spec('shop-prod-smoke') }]);
    expect(await thrown(work)).toBeInstanceOf(OvertakenError);
    expect([host.changes, host.containers()]).toEqual([[], []]);
  });

  test.each([0, 1, 2, 3])('removes nothing more of an environment, after %i looks', async (times) => {
    const engine = await contextIn(folder).engine(target());
    await engine.createContainer('shop-prod-web', { Image: 'web', Labels: ownerLabels('shop', 'prod', 'release') });
    await engine.startContainer('shop-prod-web');
    const runtime = runtimeOf(target());
    const inventory = await runtime.inventory(engine, place, false);
    host.changes.length = 0;
    const work = runtime.removeInventory(engine, inventory, { withData: true, checkLock: lockUntil(times) });
    expect(await thrown(work)).toEqual(times === 3 ? undefined : expect.any(OvertakenError));
    const changes = ['stop shop-prod-web', 'remove shop-prod-web'];
    expect(host.changes).toEqual(changes.slice(0, times));
  });
});
