import { expect, test } from 'vitest';
import type { DesiredState } from '../../../pipelines/model/desired-state.ts';
import type { Context } from '../../../pipelines/operations/ports.ts';
import type { EnvironmentRecord } from '../../../pipelines/model/ledger.ts';
import { resume } from '../../../pipelines/operations/resume.ts';
import { environment, placed, record, revision, rolledBackTo } from '../model/values.ts';

const [r1, r2] = [revision(1, '1.0.0'), revision(2, '2.0.0')];
const hold = { since: '2026-01-01T12:00:00.000Z', actor: 'anna@desk', reason: 'slow', version: '2.0.0' };
const held = record([r1, r2, rolledBackTo(3, r1)], [placed('web-1.0.0'), placed('web-2.0.0')], { hold });

/** A world that answers with these records one after the other, and notes what is done. */
function worldWith(
  records: EnvironmentRecord[],
  deploy: (desired: DesiredState) => void = () => undefined,
  fence = { revision: 3, operation: 'op0', recorded: 3 },
) {
  const events: string[] = [];
  const context = {
    project: { app: 'shop', environments: [environment()] },
    newOperation: () => 'op1',
    records: { environment: async () => (records.length > 1 ? records.shift() : records[0]) },
    hosts: {
      lock: async (_environment: unknown, purpose: string) => {
        events.push(`lock for ${purpose}`);
        return async () => void events.push('unlock');
      },
      look: async () => [{ host: environment().hosts[0], fence }],
    },
    stacks: {
      deploy: async (desired: DesiredState, message: string) => {
        events.push(message);
        deploy(desired);
      },
    },
  } as unknown as Context;
  return { context, events };
}

test('lifts the hold under the lock, and leaves what runs and what is kept', async () => {
  const deployed: DesiredState[] = [];
  const { context, events } = worldWith([held, held, record([r1])], (desired) => void deployed.push(desired));
  expect(await resume(context, { environment: 'prod' })).toEqual({ outcome: 'resumed', hold });
  expect(events).toEqual(['lock for resume', 'resume', 'unlock']);
  expect(deployed).toEqual([
    {
      app: 'shop',
      environment: 'prod',
      operation: 'op1',
      turn: { revision: 3, operation: 'op1', recorded: 3, over: [] },
      serving: [placed('web-1.0.0')],
      standby: [placed('web-2.0.0')],
      fallback: [],
      verify: [],
      wake: [],
      watch: 0,
      guarded: false,
      secrets: [],
      ledger: { revisions: held.ledger.revisions },
    },
  ]);
});

test('is refused where a host knows a later revision', async () => {
  const later = { revision: 4, operation: 'op0', recorded: 4 };
  const { context, events } = worldWith([held], undefined, later);
  await expect(resume(context, { environment: 'prod' })).rejects.toThrow('know revision 4, this state knows 3');
  expect(events).toEqual(['lock for resume', 'unlock']);
});

test('does nothing where there is no hold, not even lock', async () => {
  const { context, events } = worldWith([record([r1])]);
  expect(await resume(context, { environment: 'prod' })).toEqual({ outcome: 'not on hold' });
  expect(events).toEqual([]);
});

test('does nothing when somebody else lifted it meanwhile', async () => {
  const { context, events } = worldWith([held, record([r1])]);
  expect(await resume(context, { environment: 'prod' })).toEqual({ outcome: 'not on hold' });
  expect(events).toEqual(['lock for resume', 'unlock']);
});

test('says so when the record did not change', async () => {
  const { context, events } = worldWith([held]);
  await expect(resume(context, { environment: 'prod' })).rejects.toThrow('the hold of prod was not lifted');
  expect(events.at(-1)).toBe('unlock');
});
