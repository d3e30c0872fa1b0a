import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Dependencies } from '../../../infra/adapters/machines/dependencies.ts';
import { areHere, refuseElsewhere } from '../../../infra/adapters/machines/here.ts';
import { MachinesAdapter } from '../../../infra/adapters/machines/machines.ts';
import { startMachine } from '../../../infra/adapters/machines/start.ts';
import type { MachinesRecord } from '../../../infra/adapters/records.ts';
import { madeFrom } from '../../../infra/machines/machine.ts';
import { LockageError } from '../../../pipelines/errors.ts';
import { sessionIn } from '../../support/context-fixture.ts';
import { machineInputs } from '../values.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockage-machines-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

/** The machines of an environment that are recorded on a computer. */
function adapterOf(computer: string): MachinesAdapter {
  const network = { app: 'shop', environment: 'qa', bridge: 'lk0', subnet: '10.99.1', computer };
  const recorded: MachinesRecord = { network, machines: [] };
  const machines = { machines: join(folder, 'machines'), keys: folder, loadBalancers: folder, images: folder };
  return new MachinesAdapter({
    project: { app: 'shop', environments: [] },
    session: { machines },
    records: { machines: async () => recorded },
  } as unknown as Dependencies);
}

test('nothing is forgotten of machines that are on another computer', async () => {
  const begun: string[] = [];
  const removed = adapterOf('desk').destroy('qa', async () => void begun.push('qa'));
  await expect(removed).rejects.toThrow(`the machines of qa are on desk, and this is ${hostname()}`);
  await expect(removed).rejects.toThrow(LockageError);
  expect(begun).toEqual([]);
});

test('machines are known on the computer that they are on, also when it was given another name', async () => {
  const session = sessionIn(folder);
  const { environment, name, app } = machineInputs;
  const network = { app, environment, bridge: 'lk0', subnet: '10.99.1', computer: 'its-earlier-name' };
  const recorded: MachinesRecord = { network, machines: [machineInputs] };
  const place = { project: { app }, session } as unknown as Dependencies;
  expect(await areHere(place, environment, recorded)).toBe(false);
  await expect(refuseElsewhere(place, environment, recorded)).rejects.toThrow('are on its-earlier-name, and this is');

  const home = join(session.machines.machines, name);
  mkdirSync(home, { recursive: true });
  const manifest = { app, environment, made: madeFrom(machineInputs), kind: machineInputs.kind, complete: true };
  writeFileSync(join(home, 'machine.json'), JSON.stringify(manifest));
  expect(await areHere(place, environment, recorded)).toBe(true);
  await refuseElsewhere(place, environment, recorded);
  // Of another environment, or of machines that are not recorded.
  expect(await areHere(place, 'another', recorded)).toBe(false);
  expect(await areHere(place, environment, { network, machines: [] })).toBe(false);
});

test('a machine that is gone, or does not come up, is told of and keeps no other one from its start', async () => {
  const session = sessionIn(folder);
  const { environment, host, name, app } = machineInputs;
  expect(await startMachine(session, machineInputs)).toEqual({ environment, host, runs: false });
  const home = join(session.machines.machines, name);
  mkdirSync(home, { recursive: true });
  const manifest = { app, environment, made: madeFrom(machineInputs), kind: machineInputs.kind, complete: true };
  writeFileSync(join(home, 'machine.json'), JSON.stringify(manifest));
  // Its image is not there.
  expect(await startMachine(session, machineInputs)).toMatchObject({
    ...{ environment, host, runs: false },
    problem: expect.arrayContaining([`the machine ${name} did not come up`]),
  });
});
