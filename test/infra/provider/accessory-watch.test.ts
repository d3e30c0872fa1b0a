import { expect, test } from 'vitest';
import type { ProviderContext } from '../../../infra/context/provider-context.ts';
import { accessoryStarts, refuseRestarted } from '../../../infra/provider/accessory-watch.ts';
import { host } from '../../pipelines/model/values.ts';

const place = { app: 'shop', environment: 'prod', accessories: ['prod-1', 'db-1'].map(host) };

test('an accessory on a host of its own is found to have been restarted, or to be gone', async () => {
  let state: object = { Running: true, Restarting: false, StartedAt: 'first' };
  const engine = {
    listContainers: async () => [{ Id: 'db', Labels: { 'lockage.role': 'db' } }],
    inspectContainer: async () => ({ State: state }),
  };
  const none = { listContainers: async () => [] };
  const context = { engine: async ({ name }: { name: string }) => (name === 'db-1' ? engine : none) };
  const here = context as unknown as ProviderContext;
  const before = await accessoryStarts(here, place);
  expect(before).toEqual([{ what: 'db-1: accessory db', started: 'first' }]);
  const refused = () => refuseRestarted(here, place as never, before);
  await expect(refused()).resolves.toBeUndefined();
  state = { ...state, StartedAt: 'second' };
  await expect(refused()).rejects.toThrow('db-1: accessory db was restarted while the release was watched');
  state = { ...state, Running: false };
  await expect(refused()).rejects.toThrow('db-1: accessory db does not run');
});
