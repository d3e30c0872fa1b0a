import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ProviderContext } from '../../../infra/context/provider-context.ts';
import { letRest, stopThenStart } from '../../../infra/provider/stop-first.ts';
import { placed } from '../../pipelines/model/values.ts';
import { contextIn } from '../../support/context-fixture.ts';
import { EdgeFixture } from '../../support/edge-fixture.ts';

let fixture: EdgeFixture;
let context: ProviderContext;
const place = { app: 'shop', environment: 'prod' };

beforeEach(() => {
  fixture = new EdgeFixture();
  const engine = fixture.engine('prod-1');
  context = { ...contextIn(fixture.live('..')), engine: async () => engine, gaps: {} };
});
afterEach(() => fixture.remove());

test('a gap is measured of the roles that had to end, and of no other', async () => {
  const change = {
    roles: ['first', 'web', 'worker'],
    start: [placed('first-2.0.0'), placed('web-2.0.0')],
    before: [placed('web-1.0.0')],
    serving: [placed('worker-1.0.0')],
  };
  await stopThenStart(context, place, change, async () => undefined);
  expect(Object.keys(context.gaps ?? {})).toEqual(['web']);
});

test('what was there before is let rest, host by host, but what is gone', async () => {
  fixture.containers = ['web-1.0.0', 'worker-1.0.0', 'web-2.0.0'];
  const before = [placed('web-1.0.0'), placed('worker-1.0.0'), placed('gone-1.0.0')];
  await letRest(context, place, {
    roles: ['web', 'worker', 'gone'],
    start: [placed('web-2.0.0')],
    before,
    serving: [],
  });
  expect(fixture.moves).toEqual(['list', 'stop web-1.0.0', 'stop worker-1.0.0']);
});
