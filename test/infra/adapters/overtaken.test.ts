import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FoundationAdapter } from '../../../infra/adapters/foundation.ts';
import { deployMachines } from '../../../infra/adapters/machines/deploy.ts';
import type { RecordsAdapter } from '../../../infra/adapters/records.ts';
import { RemovalAdapter } from '../../../infra/adapters/removal.ts';
import type { StackRunner } from '../../../infra/pulumi/stack-runner.ts';
import type { RegistryClient } from '../../../infra/registry/client.ts';
import { DownError } from '../../../infra/workloads/foundation/standing-container.ts';
import {
  InterruptedError,
  LockedError,
  NotStartedError,
  OvertakenError,
  RolledBackError,
} from '../../../pipelines/errors.ts';
import { exitCodeFor } from '../../../pipelines/model/exit-code.ts';
import { environment } from '../../pipelines/model/values.ts';
import { sessionIn } from '../../support/context-fixture.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockage-overtaken-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What is done to stacks, all of which ends with an error. */
function failing(error: Error) {
  const done: string[] = [];
  const fail = (what: string) => async () => {
    done.push(what);
    throw error;
  };
  const stacks = { up: fail('up'), destroy: fail('destroy'), forgetFormerStanding: async () => undefined };
  return { done, stacks: async () => stacks as unknown as StackRunner };
}

const records = {
  standing: async () => ({ edges: [], accessories: [] }),
  seen: async () => ({ containers: [] }),
  machines: async () => undefined,
} as unknown as RecordsAdapter;
const base = () => ({ records, session: sessionIn(folder) });
const thrown = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe.each([
  new OvertakenError('another operation has taken over prod'),
  new LockedError('the stack prod is locked by anna'),
])('a command that $name ends', (error) => {
  test('while it makes networks, edges and accessories, says so, and removes nothing', async () => {
    const { done, stacks } = failing(error);
    const project = { app: 'shop', edgeImage: 'caddy:2' };
    const foundation = new FoundationAdapter({ ...base(), stacks, project, registry: {} as unknown as RegistryClient });
    const prod = environment({ hosts: [] });
    expect(await thrown(foundation.make({ environment: prod, active: prod, versions: {} }, 'stay'))).toBe(error);
    expect(done).toEqual(['up']);
  });

  test('while it destroys an environment, removes nothing more', async () => {
    const { done, stacks } = failing(error);
    const removal = new RemovalAdapter({ ...base(), stacks, app: 'shop' });
    expect(await thrown(removal.destroyStack('prod', 'releases'))).toBe(error);
    expect(done).toEqual(['destroy']);
  });
});

test('a host that is gone loses its cordon last, so that the same command may be given again', async () => {
  const done: string[] = [];
  const forgetHosts = async (stack: string) => {
    done.push(stack);
    if (stack !== 'prod') throw new Error('the backend is away');
  };
  const stacks = async () => ({ forgetHosts }) as unknown as StackRunner;
  const removal = new RemovalAdapter({ ...base(), stacks, app: 'shop' });
  await expect(removal.forgetHost('prod', 'prod-2')).rejects.toThrow('the backend is away');
  expect(done).not.toContain('prod');
});

test.each([
  [
    'the operator ends',
    new InterruptedError('prod-1: edge proxy shop-prod-edge was not made: interrupted'),
    InterruptedError,
    130,
  ],
  ['an edge ends', new DownError('prod-1: edge proxy shop-prod-edge was not made: no such image'), RolledBackError, 3],
])('a first foundation that %s is removed again, and said to be so', async (_who, error, Kind, exitCode) => {
  const { done, stacks } = failing(error);
  const removing = { ...(await stacks()), destroy: async () => void done.push('destroy') };
  const project = { app: 'shop', edgeImage: 'caddy:2' };
  const registry = {} as unknown as RegistryClient;
  const foundation = new FoundationAdapter({ ...base(), stacks: async () => removing, project, registry });
  const prod = environment({ hosts: [] });
  const ended = await thrown(foundation.make({ environment: prod, active: prod, versions: {} }, 'stay'));
  expect(ended).toBeInstanceOf(Kind);
  expect([exitCodeFor(ended), done]).toEqual([exitCode, ['up', 'destroy']]);
});

test.each([new OvertakenError('another operation has taken over prod'), new NotStartedError('another passphrase')])(
  'a command that $name ends while it makes machines removes none of them',
  async (error) => {
    const { done, stacks } = failing(error);
    const network = { app: 'shop', environment: 'prod', bridge: 'lk1', subnet: '10.0.0', computer: 'desk' };
    const wanted = { network, machines: [], loadBalancer: undefined, before: [], stoppable: true };
    const project = { app: 'shop' } as unknown as Parameters<typeof deployMachines>[0]['project'];
    expect(await thrown(deployMachines({ ...base(), stacks, project, actor: 'anna' }, 'prod', wanted))).toBe(error);
    expect(done).toEqual(['up']);
  },
);
