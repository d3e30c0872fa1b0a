/** Virtual machines in QEMU on this computer: by KVM where that works, else emulated. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LockageError } from '../../pipelines/errors.ts';
import { fingerprint } from '../../pipelines/model/fingerprint.ts';
import { runDaemon, runProgram, tryRunProgram } from '../system/run-program.ts';
import { acceleratorHere, describeAccelerator } from './accelerator.ts';
import { cpioArchive } from './cpio.ts';
import { diskOf, initrdOf, kernelOf } from './image/disk.ts';
import type { CachedImage } from './image/image.ts';
import { vmRecipe } from './image/vm-recipe.ts';
import type { MachineFile, MachineKind, MachineSpec } from './machine-kind.ts';
import { hardwareAddress } from './network.ts';

const emulator = 'qemu-system-x86_64';

/** Milliseconds for a process to die: one that waits for a disk which does not answer cannot be killed. */
const killTimeout = 30_000;

export const qemu: MachineKind = {
  recipe: vmRecipe,
  bootTimeout: 300_000,
  async create(machine, image) {
    const { home, disk = 0 } = machine;
    const layer = ['-f', 'qcow2', '-F', 'raw', '-b', diskOf(image.folder)];
    await runProgram(['qemu-img', 'create', '-q', ...layer, diskFile(home), String(disk)]);
    const own = cpioArchive([...machine.files.map(inside), networkFile(machine)]);
    await writeFile(imageFile(home), image.digest);
    await writeFile(initrdFile(home), Buffer.concat([await readFile(initrdOf(image.folder)), own]), { mode: 0o600 });
  },
  async start(machine, image) {
    const { home, bridge } = machine;
    await refuseOtherImage(machine, image);
    const tap = tapOf(home);
    const kernel = kernelOf(image.folder);
    const accelerator = await acceleratorHere(emulator, kernel, path.dirname(image.folder));
    await tryRunProgram(['ip', 'link', 'del', tap]);
    await runProgram(['ip', 'tuntap', 'add', 'dev', tap, 'mode', 'tap']);
    await runProgram(['ip', 'link', 'set', tap, 'master', bridge, 'up']);
    await runDaemon([emulator, ...guestArguments(machine, accelerator.name, kernel)]);
    return describeAccelerator(accelerator);
  },
  runs: async (home) => (await processesOf(home)).length > 0,
  async stop(home) {
    for (const end = performance.now() + killTimeout; performance.now() < end; await sleep(50)) {
      const pids = await processesOf(home);
      if (pids.length === 0) break;
      pids.forEach(tryKill);
    }
    await tryRunProgram(['ip', 'link', 'del', tapOf(home)]);
  },
  log: serialLog,
};

/**
 * The CPU of emulated machines, without the instructions that move memory byte by byte: emulated, these are eight
 * times slower than a loop.
 */
const emulatedCpu = 'max,erms=off,fsrm=off';

/**
 * The settings that write to the disk soon, since an engine does not wait for an image to be there. A killed machine
 * loses what is younger than some seconds, not 30.
 */
const writeSoon = 'sysctl.vm.dirty_expire_centisecs=300 sysctl.vm.dirty_writeback_centisecs=100';

/** Returns the arguments of a machine's process. */
export function guestArguments(machine: MachineSpec, accelerator: 'kvm' | 'tcg', kernel: string): string[] {
  const { name, home, memory, cpus, address } = machine;
  const processor =
    accelerator === 'kvm'
      ? ['-accel', 'kvm', '-cpu', 'host']
      : ['-accel', 'tcg,thread=multi,tb-size=256', '-cpu', emulatedCpu];
  return [
    ...['-name', name, '-machine', 'pc', ...processor, '-smp', String(cpus), '-m', `${Math.floor(memory / 2 ** 20)}M`],
    // Only the devices named here exist, and the process may do no more with the kernel than it needs.
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-sandbox', 'on,obsolete=deny,resourcecontrol=deny'],
    ...[
      '-drive',
      `id=disk,if=none,format=qcow2,file=${escapeCommas(diskFile(home))}`,
      '-device',
      'virtio-blk-pci,drive=disk',
    ],
    ...['-netdev', `tap,id=net,ifname=${tapOf(home)},script=no,downscript=no`],
    ...['-device', `virtio-net-pci,netdev=net,romfile=,mac=${hardwareAddress(address)}`, '-device', 'virtio-rng-pci'],
    ...['-serial', `file:${serialLog(home)}`, '-pidfile', pidFile(home), '-daemonize'],
    ...['-kernel', kernel, '-initrd', initrdFile(home)],
    ...['-append', `console=ttyS0 net.ifnames=0 panic=5 ${writeSoon}`],
  ];
}

/**
 * Throws LockageError when the image is another one: what a machine wrote is a layer over its image's disk, and has no
 * meaning over another.
 */
async function refuseOtherImage({ home, name, environment }: MachineSpec, image: CachedImage): Promise<void> {
  const below = await readFile(imageFile(home), 'utf8');
  if (below === image.digest) return;
  throw new LockageError(`the image that ${name} was made from is gone: ${below}`, {
    hint: `Its disk cannot be read without it: \`lockage destroy ${environment}\`, and promote again.`,
  });
}

/** Returns the value with its commas doubled: a comma would begin another option. */
function escapeCommas(file: string): string {
  return file.replaceAll(',', ',,');
}

function inside(file: MachineFile): MachineFile {
  return { ...file, path: `/machine/files${file.path}` };
}

function networkFile({ address, subnet }: MachineSpec): MachineFile {
  const lines = [
    'ip link set lo up && ip link set eth0 up &&',
    `ip address add ${address}/24 dev eth0 && ip route add default via ${subnet}.1`,
  ];
  return { path: '/machine/network', text: `${lines.join('\n')}\n`, mode: 0o644 };
}

/** Returns the processes of the machine in a folder, found by the folder in their arguments: process ids are reused. */
async function processesOf(home: string): Promise<number[]> {
  const numbers = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    numbers.map(async (number) => {
      const words = (await readFile(`/proc/${number}/cmdline`, 'utf8').catch(() => '')).split('\0');
      return words.includes(pidFile(home)) && words[0] === emulator ? [Number(number)] : [];
    }),
  );
  return found.flat();
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Returns the name of a machine's network device. It has fifteen characters at most. */
function tapOf(home: string): string {
  return `lt${fingerprint(home)}`;
}

function serialLog(home: string): string {
  return path.join(home, 'serial.log');
}

const diskFile = (home: string) => path.join(home, 'disk.qcow2');
const imageFile = (home: string) => path.join(home, 'image');
const initrdFile = (home: string) => path.join(home, 'initrd.cpio');
const pidFile = (home: string) => path.join(home, 'qemu.pid');
