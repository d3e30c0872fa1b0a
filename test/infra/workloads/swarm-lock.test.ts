import { beforeEach, describe, expect, test } from 'vitest';
import type { ProviderContext } from '../../../infra/context/provider-context.ts';
import type { Engine } from '../../../infra/docker/api/client.ts';
import { labels } from '../../../infra/docker/labels.ts';
import type { RemovalSession } from '../../../infra/workloads/runtime.ts';
import { ServiceWorkload } from '../../../infra/workloads/swarm/service-workload.ts';
import { SwarmRuntime } from '../../../infra/workloads/swarm/swarm-runtime.ts';
import { OvertakenError } from '../../../pipelines/errors.ts';
import type { Swarm } from '../../../pipelines/model/target.ts';
import { spec } from '../../pipelines/model/values.ts';

const swarm = { kind: 'swarm', name: 'swarm', managers: [] } as unknown as Swarm;
const place = { app: 'shop', environment: 'prod' };
const inputs = { ...place, host: swarm, spec: spec('web-1.0.0', 'swarm', { replicas: 2 }) };
const overtaken = new OvertakenError('another operation has taken over prod');

let changes: string[];
/** the service that the swarm has */
let found: object | undefined;
beforeEach(() => {
  [changes, found] = [[], undefined];
});

const change = (name: string) => async () => {
  changes.push(name);
  return { ID: 's1' };
};
const engine = {
  host: 'swarm-1',
  inspectService: async () => found,
  listServices: async () => (found ? [found] : []),
  listSecrets: async () => [],
  tasksOf: async () => [],
  createService: change('create'),
  updateService: change('update'),
  removeService: change('remove'),
} as unknown as Engine;
const check = async () => {
  throw overtaken;
};
const context = {
  engine: async () => engine,
  registryAuth: async () => undefined,
  checkLock: check,
  progress: () => undefined,
  signal: new AbortController().signal,
} as unknown as ProviderContext;
const running = () => ({
  ID: 's1',
  Version: { Index: 1 },
  Spec: {
    Name: inputs.spec.name,
    Labels: { [labels.app]: 'shop', [labels.environment]: 'prod' },
    Mode: { Replicated: { Replicas: 2 } },
  },
});

describe('who was overtaken while a swarm was asked', () => {
  const workload = () => new ServiceWorkload(context, inputs);

  test.each([
    ['creates', false, () => workload().create()],
    ['removes', true, () => workload().remove()],
    ['stops', true, () => workload().stop()],
    ['starts', true, () => new ServiceWorkload(context, { ...inputs, spec: { ...inputs.spec, replicas: 3 } }).start()],
  ])('%s no service any more', async (_what, isThere, act) => {
    found = isThere ? running() : undefined;
    await expect(act()).rejects.toBe(overtaken);
    expect(changes).toEqual([]);
  });

  test('clears up no service any more', async () => {
    found = running();
    const session = {
      connections: { engine: async () => engine },
      lock: { check },
      progress: () => undefined,
    } as unknown as RemovalSession;
    await expect(new SwarmRuntime(swarm).removeOthers(session, place, new Set())).rejects.toBe(overtaken);
    expect(changes).toEqual([]);
  });
});
