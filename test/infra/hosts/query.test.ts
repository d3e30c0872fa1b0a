import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { queryHosts } from '../../../infra/hosts/query.ts';
import { host as hostNamed } from '../../pipelines/model/values.ts';

const host = hostNamed('prod-1');
const never = (signal: AbortSignal) => sleep(60_000, undefined, { signal });

describe('a host that is asked', () => {
  test('is given up on soon where it gives no sign of life', async () => {
    const asked = await queryHosts([host], { first: 20, total: 60_000 }, (_, signal) => never(signal));
    expect(asked).toEqual([{ host, error: 'does not answer within 0.02 s' }]);
  });

  test('is waited for where it has given one', async () => {
    const asked = await queryHosts([host], { first: 20, total: 60_000 }, async (_host, _signal, heard) => {
      heard();
      await sleep(100);
      return 'all of it';
    });
    expect(asked).toEqual([{ host, answer: 'all of it' }]);
  });

  test('is not waited for without end, and is told to stop', async () => {
    const stopped: boolean[] = [];
    const asked = await queryHosts([host], { first: 20, total: 40 }, async (_host, signal, heard) => {
      heard();
      await never(signal).catch(() => stopped.push(signal.aborted));
    });
    expect(asked).toEqual([{ host, error: 'does not answer within 0.04 s' }]);
    await expect.poll(() => stopped).toEqual([true]);
  });
});
