import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as immediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ProviderContext } from '../../../infra/context/provider-context.ts';
import { hostRecipe, machineImage, suite } from '../../../infra/machines/image/image.ts';
import { forgetKeys, hostKey, identity } from '../../../infra/machines/keys.ts';
import { writeLxcConfig } from '../../../infra/machines/lxc.ts';
import {
  ensureMachine,
  hostOf,
  madeFrom,
  machinesHere,
  machineState,
  removeMachine,
} from '../../../infra/machines/machine.ts';
import { runDaemon, runProgram } from '../../../infra/system/run-program.ts';
import { fingerprint } from '../../../pipelines/model/fingerprint.ts';
import { toRecord } from '../../../pipelines/model/target-record.ts';
import { machineInputs as inputs } from '../values.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockage-machines-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const places = () => ({
  machines: join(folder, 'machines'),
  keys: join(folder, 'keys'),
  loadBalancers: join(folder, 'fronts'),
  images: join(folder, 'images'),
});

function folderOf(machine: string, mark?: object): string {
  const home = join(places().machines, machine);
  mkdirSync(home, { recursive: true });
  if (mark)
    writeFileSync(join(home, 'machine.json'), JSON.stringify({ kind: 'lxc', made: '', complete: true, ...mark }));
  return home;
}

test('a machine is a host with its pinned key and the key pair of its environment', () => {
  expect(toRecord(hostOf(places(), inputs))).toEqual({
    name: 'qa-1',
    url: 'ssh://root@10.99.1.11',
    address: '10.99.1.11',
    identity: join(folder, 'keys/qa/id_ed25519'),
    hostKey: inputs.hostKey,
  });
});

test('keys are made once, for their owner alone, and go with the environment', async () => {
  const { keys } = places();
  const login = await identity(keys, 'qa');
  const own = await hostKey(keys, 'qa', 'qa-1');
  expect([await identity(keys, 'qa'), await hostKey(keys, 'qa', 'qa-1')]).toEqual([login, own]);
  expect(own.fingerprint).not.toBe((await hostKey(keys, 'qa', 'qa-2')).fingerprint);
  for (const { file, fingerprint: hash } of [login, own]) {
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await runProgram(['ssh-keygen', '-lf', `${file}.pub`])).toContain(` ${hash} `);
  }
  await forgetKeys(keys, 'qa');
  expect(existsSync(login.file)).toBe(false);
});

test('an image is taken by its recorded digest and no other, or else by its recipe', async () => {
  const { images } = places();
  const today = fingerprint({ ...hostRecipe, release: await suite() });
  for (const [name, digest] of [
    [today, 'sha256:today'],
    ['earlier', 'sha256:earlier'],
  ] as const) {
    mkdirSync(join(images, name), { recursive: true });
    writeFileSync(join(images, name, 'digest'), `${digest}\n`);
  }
  const digestOf = async (digest?: string) => (await machineImage(images, hostRecipe, digest)).digest;
  expect([await digestOf('sha256:earlier'), await digestOf()]).toEqual(['sha256:earlier', 'sha256:today']);
  await expect(digestOf('sha256:gone')).rejects.toThrow(/image gone of machines is not on this computer any more/);
});

test('only machines of the environment are its own', async () => {
  folderOf('shop-qa-machine-1', { app: 'shop', environment: 'qa' });
  folderOf('shop-qa-machine-2');
  folderOf('shop-qa-machine-3', { app: 'shop', environment: 'prod' });
  expect(await machinesHere(places(), inputs)).toEqual(['shop-qa-machine-1']);
});

test('what stays behind has none of the variables of whoever started it', async () => {
  const lines = (await runDaemon(['env'])).trim().split('\n').sort();
  expect(lines.map((line) => line.split('=')[0])).toEqual(['HOME', 'LC_ALL', 'PATH']);
});

test('a removal that is killed at any moment leaves a machine that is known, not whole, and can be removed', async () => {
  const home = folderOf(inputs.name, { ...inputs, made: madeFrom(inputs) });
  const root = join(home, 'rootfs');
  mkdirSync(root);
  for (let number = 0; number < 3000; number += 1) writeFileSync(join(root, String(number)), '');
  expect(await machineState(places(), inputs)).toBe('stopped');
  const removal = removeMachine(places(), inputs);
  let mark = '';
  while (existsSync(root)) {
    mark = readFileSync(join(home, 'machine.json'), 'utf8');
    await immediate();
  }
  expect(mark).toContain('"complete":false');
  await removal;
  expect(readdirSync(places().machines)).toEqual([]);
});

test.each([
  ['is empty', []],
  ['has half a mark', ['machine.json.draft']],
])('a folder that %s is what a killed run left, and is taken over', async (_what, names) => {
  const home = folderOf(inputs.name);
  for (const name of names) writeFileSync(join(home, name), '{');
  await expect(ensureMachine({ machines: places() } as ProviderContext, inputs)).rejects.toThrow('did not come up');
});

test("a stranger's folder is neither removed nor taken over", async () => {
  const home = folderOf(inputs.name, { app: 'other', environment: 'qa' });
  await removeMachine(places(), inputs);
  expect(existsSync(home)).toBe(true);
  const context = { machines: places() } as ProviderContext;
  await expect(ensureMachine(context, inputs)).rejects.toThrow(
    `there is a folder ${home} that is not of a machine of qa`,
  );
  expect(existsSync(home)).toBe(true);
});

test('why a machine does not come up is said, also where its log cannot be kept', async () => {
  writeFileSync(join(folderOf(inputs.name, { ...inputs, made: madeFrom(inputs) }), 'lxc.log'), 'its last words\n');
  writeFileSync(join(folder, 'machine-logs'), 'in the way');
  await expect(ensureMachine({ machines: places() } as ProviderContext, inputs)).rejects.toMatchObject({
    message: `the machine ${inputs.name} did not come up`,
    details: expect.arrayContaining([expect.stringContaining('is not on this computer any more'), 'its last words']),
  });
});

test.each([
  ['half made', { app: 'shop', environment: 'qa', complete: false }],
  ['made otherwise', { app: 'shop', environment: 'qa', made: '00000000' }],
])('a machine that is %s counts as absent', async (_what, mark) => {
  folderOf(inputs.name, mark);
  expect(await machineState(places(), inputs)).toBe('absent');
});

test('a system container has its limits, by whichever control groups there are', async () => {
  const network = { bridge: 'lk00000000', address: '10.99.1.11', gateway: '10.99.1.1' };
  await writeLxcConfig(folder, { name: 'qa-1', root: '/r', ...network, memory: 2 ** 29, cpus: 0.5 });
  const lines = readFileSync(join(folder, 'config'), 'utf8').split('\n');
  expect(lines).toContain('lxc.net.0.ipv4.address = 10.99.1.11/24');
  // The next machine at the address has it too: whoever asked for it before would go on sending to the one that is gone.
  expect(lines).toContain('lxc.net.0.hwaddr = 52:54:0a:63:01:0b');
  const limits = lines.filter((line) => /memory|cpu/.test(line));
  expect([
    ['lxc.cgroup2.memory.max = 536870912', 'lxc.cgroup2.cpu.max = 50000 100000'],
    [
      'lxc.cgroup.memory.limit_in_bytes = 536870912',
      'lxc.cgroup.cpu.cfs_period_us = 100000',
      'lxc.cgroup.cpu.cfs_quota_us = 50000',
    ],
  ]).toContainEqual(limits);
});
