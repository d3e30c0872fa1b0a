import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as pulumi from '@pulumi/pulumi';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SecretKey } from '../../../infra/context/secret-key.ts';
import { SecretValues } from '../../../infra/context/secret-values.ts';
import { readSecretValues } from '../../../infra/pulumi/secret-values.ts';
import { PulumiStacks } from '../../../infra/pulumi/stacks.ts';
import { Ledger, Secret } from '../../../infra/resources/classes.ts';
import { declarations } from '../../../infra/resources/declared.ts';
import { contextIn } from '../../support/context-fixture.ts';
import { askEngine, asStranger, otherAnswers } from '../../support/stranger-fixture.ts';

const isRoot = process.getuid?.() === 0;
const place = { app: 'trial', environment: 'prod' };
const canary = 'hunter2-of-prod';
const key = new SecretKey('trial', 'a passphrase');
let folder: string;
let stacks: PulumiStacks;

const settings = () => ({ backend: `file://${join(folder, 'state')}`, passphrase: 'a passphrase', folder });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockage-strangers-'));
  await mkdir(join(folder, 'state'));
  await mkdir(join(folder, 'victim'));
  stacks = new PulumiStacks(settings(), 'trial');
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const context = () => contextIn(folder, { secrets: new SecretValues(key) });

/** The ports that a process listens on, as everybody can read them in the table of the kernel. */
async function listeningPorts(pid: string): Promise<string[]> {
  const names = await readdir(`/proc/${pid}/fd`);
  const own = await Promise.all(names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => '')));
  const rows = (await readFile('/proc/net/tcp', 'utf8')).split('\n').map((line) => line.trim().split(/ +/));
  return rows
    .filter(([, , , state, , , , , , inode]) => state === '0A' && own.includes(`socket:[${inode}]`))
    .map(([, address = '']) => `127.0.0.1:${Number.parseInt(address.split(':')[1] ?? '', 16)}`);
}

/** The Pulumi process that this one started, with its arguments. */
async function ownPulumi(): Promise<{ readonly pid: string; readonly client: string }> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const [, client] = /--client=([^\0]+)/.exec(await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')) ?? [];
    const parent = /^PPid:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''))?.[1];
    if (client && parent === String(process.pid)) return { pid, client };
  }
  throw new Error('no Pulumi runs');
}

/** Where the program is served, as everybody can read it in the arguments of Pulumi. */
async function programAddress(): Promise<string> {
  return (await ownPulumi()).client;
}

/** A resource that no class of ours declares. */
class Foreign extends pulumi.CustomResource {}

test.runIf(process.platform === 'linux')('nobody but its own Pulumi gets an answer of a run', async () => {
  let runs = 0;
  const sealed = await key.seal({ name: 'DB_PASSWORD', version: '1' }, canary);
  const asked: Awaited<ReturnType<typeof asStranger>>[] = [];
  const program = async () => {
    runs++;
    const [[provider = ''], served] = await Promise.all([listeningPorts('self'), programAddress()]);
    // Another process of this user is not its Pulumi either, but no socket can keep it out.
    asked.push(await asStranger(folder, { provider, program: 'unix:/nowhere' }, 'same'));
    if (isRoot) asked.push(await asStranger(folder, { provider, program: served }, 'nobody'));
    const secret = new Secret({ ...place, secret: 'DB_PASSWORD', version: '1', sealed });
    new Ledger({ ...place, revisions: secret.id.apply(() => '[]') });
  };
  await stacks.up('prod', program, context(), { message: 'trial' });
  expect(asked.length).toBe(isRoot ? 2 : 1);
  for (const { provider } of asked) {
    expect(Object.keys(provider).length).toBeGreaterThan(15);
    expect(otherAnswers(provider, /^PERMISSION_DENIED /)).toEqual([]);
  }
  for (const { program: served } of asked.slice(1)) {
    expect(Object.keys(served).length).toBeGreaterThan(10);
    expect(otherAnswers(served, /^UNAVAILABLE .*EACCES/)).toEqual([]);
  }
  expect(JSON.stringify(asked)).not.toContain(canary);
  expect(runs).toBe(1);
  expect(existsSync(join(folder, 'victim'))).toBe(true);
  // Pulumi itself was answered.
  const recorded = await readSecretValues(settings(), 'prod', key);
  expect(recorded).toEqual([{ name: 'DB_PASSWORD', version: '1', value: canary }]);
});

test('what a later run does not know stays as it is recorded', async () => {
  const program = async () => {
    new Secret({ ...place, secret: 'DB_PASSWORD', version: '1', sealed: '' });
    new Ledger({ ...place, revisions: pulumi.output('[1]') });
  };
  await stacks.up('prod', program, context(), { message: 'later' });
  expect(await readSecretValues(settings(), 'prod', key)).toMatchObject([{ value: canary }]);
});

test('another passphrase is told as such', async () => {
  const other = readSecretValues({ ...settings(), passphrase: 'another' }, 'prod', key);
  await expect(other).rejects.toThrow('the passphrase does not open the state of prod');
  const sealedOtherwise = readSecretValues(settings(), 'prod', new SecretKey('trial', 'another'));
  await expect(sealedOtherwise).rejects.toThrow('the passphrase does not open secret DB_PASSWORD (version 1) of prod');
});

test.runIf(isRoot && process.platform === 'linux')('nobody learns from the engine what a secret is', async () => {
  const resource = { type: 'Secret', name: 'secret-DB_PASSWORD-1' };
  const known = { ...place, secret: 'DB_PASSWORD', version: '1' };
  const told: string[] = [];
  const listen = async () => {
    const addresses = await listeningPorts((await ownPulumi()).pid);
    const urn = `urn:pulumi:former::trial::lockage:index:Secret::${resource.name}`;
    const answers = await askEngine(folder, urn, addresses, 'nobody');
    told.push(...Object.values(answers));
  };
  // As earlier versions recorded it.
  const former = async () => {
    const marked = { '4dabf18193072939515e22adb298388d': '1b47061264138c4ac30d75fd1eb44270', value: canary };
    declarations.add(resource, { ...known, value: marked });
    const value = pulumi.secret(canary);
    new Foreign('lockage:index:Secret', resource.name, { ...known, value }, { additionalSecretOutputs: ['value'] });
  };
  const now = async () => {
    const secret = new Secret({ ...known, sealed: '' });
    new Ledger({ ...place, revisions: secret.id.apply(async () => listen().then(() => '[]')) });
  };
  await stacks.up('former', former, context(), { message: 'former' });
  expect(await readSecretValues(settings(), 'former', key)).toMatchObject([{ value: canary }]);
  await stacks.up('former', now, context(), { message: 'now' });
  expect(told.join('\n')).toContain('"value":"v1.');
  expect(told.join('\n')).not.toContain(canary);
  expect(await readSecretValues(settings(), 'former', key)).toMatchObject([{ value: canary }]);
});

test('a resource that somebody else told Pulumi is not made', async () => {
  const foreign = { ...place, address: '127.0.0.1', ports: [], environment: '../victim' };
  const program = async () => {
    new Foreign('lockage:index:Front', 'front', { content: JSON.stringify(foreign) });
  };
  const running = stacks.up('other', program, context(), { message: 'foreign' });
  await expect(running).rejects.toThrow('Front front is not what the program declares');
  expect(existsSync(join(folder, 'victim'))).toBe(true);
});
