import { execFileSync } from 'node:child_process';
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
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { acceleratorHere, describeAccelerator } from '../../../infra/machines/accelerator.ts';
import { cpioArchive } from '../../../infra/machines/cpio.ts';
import { contentsFrom, shownContents } from '../../../infra/machines/image/contents.ts';
import { forgetLogs, keepLog, logTail } from '../../../infra/machines/logs.ts';
import type { MachineSpec } from '../../../infra/machines/machine-kind.ts';
import { guestArguments, qemu } from '../../../infra/machines/qemu.ts';
import { machineInputs } from '../values.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockage-vm-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const machine: MachineSpec = {
  ...machineInputs,
  kind: 'vm',
  memory: 1.5 * 2 ** 30,
  cpus: 2,
  disk: 2 ** 33,
  home: '/srv/a,b/shop-qa-machine-1',
  files: [],
};

function option(words: readonly string[], name: string): string | undefined {
  return words[words.indexOf(name) + 1];
}

test('a virtual machine has the processors and the memory it was configured with', () => {
  const words = guestArguments(machine, 'kvm', '/images/vmlinuz');
  expect(['-smp', '-m', '-cpu', '-accel', '-kernel'].map((name) => option(words, name))).toEqual([
    ...['2', '1536M', 'host', 'kvm', '/images/vmlinuz'],
  ]);
});

test('one that is emulated runs its processors at once, in bounded memory', () => {
  const words = guestArguments(machine, 'tcg', '/images/vmlinuz');
  expect(['-accel', '-cpu'].map((name) => option(words, name))).toEqual([
    'tcg,thread=multi,tb-size=256',
    'max,erms=off,fsrm=off',
  ]);
});

test('a comma in the path of a disk does not begin another option', () => {
  expect(option(guestArguments(machine, 'tcg', '/k'), '-drive')).toContain(
    'file=/srv/a,,b/shop-qa-machine-1/disk.qcow2',
  );
});

test('a disk is not laid over an image that it was not made from', async () => {
  writeFileSync(join(folder, 'image'), 'sha256:earlier');
  const start = qemu.start({ ...machine, home: folder }, { folder, digest: 'sha256:today' });
  await expect(start).rejects.toThrow('the image that shop-qa-machine-1 was made from is gone: sha256:earlier');
});

test('machines differ in their network devices, by address and by folder', () => {
  const other = { ...machine, address: '10.99.1.12', home: '/srv/a,b/shop-qa-machine-2' };
  const [mine, theirs] = [machine, other].map((each) => guestArguments(each, 'tcg', '/k').join(' '));
  expect(mine).toContain('mac=52:54:0a:63:01:0b');
  expect(theirs).toContain('mac=52:54:0a:63:01:0c');
  const tap = /ifname=(lt[0-9a-f]{8}),/;
  expect(tap.exec(mine ?? '')?.[1]).not.toBe(tap.exec(theirs ?? '')?.[1]);
});

test.each([
  [{ name: 'kvm' }, 'with KVM'],
  [{ name: 'tcg', why: 'there is no /dev/kvm' }, 'emulated, some ten times slower: there is no /dev/kvm'],
] as const)('people are told how it runs: %j', (accelerator, text) => {
  expect(describeAccelerator(accelerator)).toBe(text);
});

describe.runIf(existsSync('/dev/kvm'))('whether KVM works is asked', () => {
  const file = () => join(folder, 'accelerator.json');
  /** An emulator that says so, and the answer by it. */
  const ask = async (script: string) => {
    const emulator = join(folder, 'emulator');
    writeFileSync(emulator, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return (await acceleratorHere(emulator, '/k', folder)).name;
  };
  const later = (minutes: number) => {
    const known = JSON.parse(readFileSync(file(), 'utf8')) as { until?: number };
    const until = known.until === undefined ? {} : { until: known.until - minutes * 60_000 };
    writeFileSync(file(), JSON.stringify({ ...known, ...until }));
  };

  test.each([
    ['kvm', 'exit 0', 'echo "it is broken" >&2; exit 1'],
    ['tcg', 'echo "the processor cannot do that" >&2; exit 1', 'exit 0'],
  ])('once, where it is sure: %s', async (name, first, second) => {
    expect(await ask(first)).toBe(name);
    later(60);
    expect(await ask(second)).toBe(name);
  });

  test.each([
    ['it had no memory', 'echo "cannot set up guest memory: Cannot allocate memory" >&2; exit 1'],
    ['it was killed', 'kill -9 $$'],
  ])('again after ten minutes, where %s', async (_why, script) => {
    expect(await ask(script)).toBe('tcg');
    later(9);
    expect(await ask('exit 0')).toBe('tcg');
    later(2);
    expect(await ask('exit 0')).toBe('kvm');
  });
});

test('an archive of files unpacks to the same files, with their folders', () => {
  const archive = cpioArchive([
    { path: '/etc/ssh/key', text: 'secret\n', mode: 0o600 },
    { path: '/etc/hostname', text: 'qa-1', mode: 0o644 },
    { path: 'empty', text: '', mode: 0o644 },
  ]);
  execFileSync('busybox', ['cpio', '-i'], { cwd: folder, input: archive, stdio: ['pipe', 'ignore', 'ignore'] });
  expect(readdirSync(folder).sort()).toEqual(['empty', 'etc']);
  expect(readFileSync(join(folder, 'etc/ssh/key'), 'utf8')).toBe('secret\n');
  expect(readFileSync(join(folder, 'etc/hostname'), 'utf8')).toBe('qa-1');
  expect(['etc/ssh', 'etc/ssh/key'].map((name) => statSync(join(folder, name)).mode & 0o777)).toEqual([0o755, 0o600]);
});

const packages = [
  'Package: docker.io\nStatus: install ok installed\nVersion: 20.10.24+dfsg1-1+deb12u1\n',
  'Package: linux-image-6.1.0-56-cloud-amd64\nVersion: 6.1.192-2\n',
  'Package: linux-image-cloud-amd64\nVersion: 6.1.192-2+meta\n',
];

test('what an image contains is read from its packages', () => {
  const contents = contentsFrom('12.15\n', packages.join('\n'));
  expect(contents).toEqual({ debian: '12.15', kernel: '6.1.192-2', engine: '20.10.24+dfsg1-1+deb12u1' });
  expect(shownContents(contents)).toBe('Debian 12.15, Linux 6.1.192-2, Docker Engine 20.10.24');
  expect(contentsFrom('12.15\n', packages[0] ?? '').kernel).toBeUndefined();
});

test('the end of what a machine said is kept, the last one of each name, until its environment is forgotten', async () => {
  const places = { machines: join(folder, 'machines'), loadBalancers: '', keys: '', images: '' };
  mkdirSync(places.machines);
  const log = join(folder, 'serial.log');
  expect(await keepLog(places, machine.name, log)).toBeUndefined();
  for (const text of ['first\n', `${'x'.repeat(2 ** 19)}\r\n\u001B[31mlast\u001B[0m words\r\n`]) {
    writeFileSync(log, text);
    await keepLog(places, machine.name, log);
  }
  expect(await logTail(log, 1)).toEqual(['last words']);
  const kept = join(folder, 'machine-logs', `${machine.name}.log`);
  const text = readFileSync(kept, 'utf8');
  expect([text.length <= 2 ** 18, text.endsWith('x\nlast words\n')]).toEqual([true, true]);
  await keepLog(places, `${machine.name}b`, log);
  await forgetLogs(places, { app: 'shop', environment: 'other' });
  expect(readdirSync(join(folder, 'machine-logs'))).toHaveLength(2);
  await forgetLogs(places, machine);
  expect(readdirSync(join(folder, 'machine-logs'))).toEqual([]);
});
