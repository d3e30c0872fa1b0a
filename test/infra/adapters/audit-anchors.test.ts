import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import type { AuditLine } from '../../../pipelines/model/audit-entry.ts';
import { Fleet } from '../../support/simulation/fleet.ts';

const environment = 'prod';

/** Returns the end of the audit log that a host keeps with its copy of the record. */
function keptBy(fleet: Fleet, host: string): unknown {
  const engine = fleet.engine(host);
  const live = [...engine.volumes.keys()].find((name) => name.endsWith('-live')) ?? '';
  const packed = readFileSync(join(engine.runner.volumeFolder(live), 'record'), 'utf8');
  return JSON.parse(gunzipSync(Buffer.from(packed, 'base64')).toString('utf8')).record.audit;
}

test('states and hosts keep the end of the audit log: one that was cut refuses a promotion, and no rollback', async () => {
  const fleet = await Fleet.start();
  try {
    const [anna, bert] = [await fleet.operator('anna'), await fleet.operator('bert')];
    expect((await fleet.run(anna, 'promote', { environment, version: '1.0.0' })).code).toBe(0);
    expect((await fleet.run(anna, 'promote', { environment, version: '2.0.0' })).code).toBe(0);
    const log = join(anna.states.path, 'audit');
    const files = readdirSync(log).toSorted();
    const lines = files.map((file) => JSON.parse(readFileSync(join(log, file), 'utf8')) as AuditLine);
    expect(lines.map(({ entry }) => `${entry.operation} ${entry.kind} ${entry.exitCode ?? ''}`.trim())).toEqual([
      ...['promote intent', 'promote outcome 0', 'promote intent', 'promote outcome 0'],
    ]);
    const intent = lines[2];
    const head = { number: intent?.entry.number, hash: intent?.hash };
    for (const { host } of fleet.engines) expect(keptBy(fleet, host.name)).toEqual(head);

    // Bert’s computer has seen nothing of it: only the state has.
    for (const file of files.slice(1)) rmSync(join(log, file));
    const refused = await fleet.run(bert, 'promote', { environment, version: '3.0.0' });
    expect(refused.code).toBe(2);
    expect(String(refused.error)).toContain('the audit log was cut, changed, or is an older copy');
    expect(await fleet.answers()).toEqual(fleet.engines.map(({ host }) => `${host.name} 2.0.0`));
    expect((await fleet.run(bert, 'rollback', { environment, startedAt: Date.now() })).code).toBe(0);
    expect(await fleet.answers()).toEqual(fleet.engines.map(({ host }) => `${host.name} 1.0.0`));
  } finally {
    fleet.close();
  }
});
