import { describe, expect, test } from 'vitest';
import type { LockageError } from '../../../pipelines/errors.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import { environmentStatus } from '../../../pipelines/inspection/status.ts';
import { currentRevision } from '../../../pipelines/model/ledger.ts';
import { errorOf, onHosts, worldOf } from './situations.ts';

const environment = 'prod';
const breakGlass = 'orders are lost,\nask anna';

/** An environment on hold after a rollback, with a policy. */
async function onHold(allowed: Environment['breakGlass']) {
  const world = await worldOf({ ...onHosts(), ...(allowed ? { breakGlass: allowed } : {}) }, '1.0.0', '2.0.0');
  await world.perform('rollback', { environment, startedAt: 0 });
  return world;
}

describe('breaking the glass', () => {
  test('passes what policy allows, and is loud in record, status and audit', async () => {
    const world = await onHold(['hold', 'soak']);
    await world.perform('promote', { environment, version: '3.0.0', breakGlass });
    const { record, configured } = world.place();
    const current = currentRevision(record.ledger);
    expect(current).toMatchObject({
      release: { version: '3.0.0' },
      brokenGlass: { reason: breakGlass, gates: [{ gate: 'hold', text: expect.stringContaining('hold') }] },
    });
    expect(environmentStatus(configured, record, []).brokenGlass).toEqual(current?.brokenGlass);
    const [intent] = world.audit.lines.slice(-2).map(({ entry }) => entry);
    expect(intent).toMatchObject({ breakGlass: 'orders are lost, ask anna' });
    expect(intent?.gates).toContainEqual(expect.objectContaining({ gate: 'hold', met: false, passed: true }));
    expect(world.notes).toContainEqual(expect.stringContaining('BREAKING THE GLASS of prod'));
    expect(world.plans.at(-1)?.gates).toContainEqual(expect.objectContaining({ gate: 'hold', passed: true }));
  });

  test('passes nothing where policy says nothing of it', async () => {
    const world = await onHold(undefined);
    const was = world.state();
    const error = await errorOf(world, 'promote', { environment, version: '3.0.0', breakGlass });
    expect((error as LockageError).details.at(-1)).toBe('--break-glass passes no gate of prod, and not hold');
    expect(world.state()).toBe(was);
  });

  test('passes no other gate than those that policy names', async () => {
    const world = await onHold(['freeze']);
    const error = await errorOf(world, 'promote', { environment, version: '3.0.0', breakGlass });
    expect((error as LockageError).details.at(-1)).toBe('--break-glass passes only freeze of prod, and not hold');
  });

  test('never passes which image it is, whatever policy says', async () => {
    const world = await onHold(['hold', 'image' as never]);
    world.moved = true;
    const was = world.state();
    const error = await errorOf(world, 'promote', { environment, version: '3.0.0', breakGlass });
    expect((error as LockageError).details.at(-1)).toContain('and not image');
    expect(world.state()).toBe(was);
  });

  test('wants a reason', async () => {
    const world = await onHold(['hold']);
    const error = await errorOf(world, 'promote', { environment, version: '3.0.0', breakGlass: ' ' });
    expect(error?.message).toBe('--break-glass wants a reason');
  });

  test('is recorded of no promotion whose gates are met', async () => {
    const world = await worldOf({ ...onHosts(), breakGlass: ['hold'] }, '1.0.0');
    await world.perform('promote', { environment, version: '2.0.0', breakGlass });
    expect(currentRevision(world.place().record.ledger)?.brokenGlass).toBeUndefined();
    expect(world.audit.lines.at(-1)?.entry.breakGlass).toBeUndefined();
  });
});
