/** Virtual machines in QEMU on this computer: by KVM where that works, else emulated, which is some ten times slower. */
import { readFileSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';
import { fingerprint } from '../../pipelines/container.ts';
import { runToEnd } from '../engine/process.ts';
import { writeInto } from './files.ts';
import { diskOf, hostRecipe, initrdOf, kernelOf, type MachineImage, type Recipe } from './image.ts';
import { program, tryProgram } from './program.ts';
import type { MachineFile, MachineKind, MachineSpec } from './types.ts';

const emulator = 'qemu-system-x86_64';

/** A kernel without a root file system gives up in a second or two; one under a broken KVM never does: ms. */
const probeDeadline = 10_000;

/** Takes over the files of the second disk, before anything that reads them begins, and the whole of the first one. */
const takeOver = [
  '[Unit]',
  'DefaultDependencies=no',
  'After=systemd-remount-fs.service',
  'Before=sysinit.target systemd-networkd.service ssh.service docker.service',
  '[Service]',
  'Type=oneshot',
  "ExecStart=/bin/sh -c 'mount -o ro /dev/vdb /mnt && tar -C /mnt -cf - etc root | tar -C / -xpf - --no-overwrite-dir'",
  'ExecStart=/bin/umount /mnt',
  'ExecStart=/bin/hostname -F /etc/hostname',
  'ExecStart=/sbin/resize2fs /dev/vda',
  '[Install]',
  'WantedBy=sysinit.target',
];

const recipe: Recipe = {
  // Without AppArmor's programs a Docker Engine under this kernel starts no container.
  packages: [...hostRecipe.packages, 'linux-image-cloud-amd64', 'apparmor'],
  customize: [
    ...hostRecipe.customize,
    `printf '%s\\n' ${takeOver.map((line) => `"${line}"`).join(' ')} > "$1/etc/systemd/system/lockage-files.service"`,
    'chroot "$1" systemctl enable lockage-files.service systemd-networkd.service',
  ],
  bootable: true,
};

export const qemu: MachineKind = {
  recipe,
  patience: 300_000,
  async create(machine, image) {
    const { home, disk = 0 } = machine;
    await program([
      'qemu-img',
      'create',
      '-q',
      '-f',
      'qcow2',
      '-F',
      'raw',
      '-b',
      diskOf(image),
      diskFile(home),
      String(disk),
    ]);
    const files = path.join(home, 'files');
    await mkdir(files, { mode: 0o755 });
    await writeInto(files, [...machine.files, networkFile(machine)]);
    await program(['mke2fs', '-q', '-t', 'ext4', '-d', files, filesDisk(home), '8M']);
    await rm(files, { recursive: true });
  },
  async start(machine, image) {
    const { home, bridge } = machine;
    const tap = tapOf(home);
    await tryProgram(['ip', 'link', 'del', tap]);
    await program(['ip', 'tuntap', 'add', 'dev', tap, 'mode', 'tap']);
    await program(['ip', 'link', 'set', tap, 'master', bridge, 'up']);
    const accelerator = await acceleratorHere(image);
    const processor = ['-machine', `pc,accel=${accelerator}`, '-cpu', accelerator === 'kvm' ? 'host' : 'max'];
    await program([emulator, ...processor, ...hardware(machine, tap), ...boot(image)]);
    return accelerator === 'kvm' ? undefined : 'emulated, as KVM does not work here: it takes a minute to start';
  },
  runs: async (home) => (await processOf(home)) !== undefined,
  async stop(home) {
    for (let pid = await processOf(home); pid !== undefined; pid = await processOf(home)) {
      process.kill(pid, 'SIGKILL');
      await sleep(50);
    }
    await tryProgram(['ip', 'link', 'del', tapOf(home)]);
  },
  lastWords: async (home) => {
    const said = await readFile(serialLog(home), 'utf8').catch(() => '');
    return stripVTControlCharacters(said).replaceAll('\r', '').trim().split('\n').slice(-8);
  },
};

function hardware({ name, home, memory, cpus, address }: MachineSpec, tap: string): string[] {
  return [
    ...['-name', name, '-m', `${Math.floor(memory / 2 ** 20)}M`, '-smp', String(Math.ceil(cpus))],
    ...['-drive', `file=${diskFile(home)},if=virtio,format=qcow2`],
    ...['-drive', `file=${filesDisk(home)},if=virtio,format=raw,readonly=on`],
    ...['-netdev', `tap,id=net0,ifname=${tap},script=no,downscript=no`],
    ...['-device', `virtio-net-pci,netdev=net0,mac=${macOf(address)}`, '-device', 'virtio-rng-pci'],
    ...['-display', 'none', '-monitor', 'none', '-serial', `file:${serialLog(home)}`],
    ...['-daemonize', '-pidfile', pidFile(home)],
  ];
}

function boot(image: MachineImage): string[] {
  const words = 'root=/dev/vda rw console=ttyS0 net.ifnames=0 panic=5';
  return ['-kernel', kernelOf(image), '-initrd', initrdOf(image), '-append', words];
}

/** How guests run here. The answer holds until this computer starts again, so it is asked for once. */
async function acceleratorHere(image: MachineImage): Promise<'kvm' | 'tcg'> {
  const file = path.join(path.dirname(image.folder), 'accelerator');
  const started = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const [when, known] = (await readFile(file, 'utf8').catch(() => '')).split(' ');
  if (when === started && (known === 'kvm' || known === 'tcg')) return known;
  const accelerator = (await kvmWorks(image)) ? 'kvm' : 'tcg';
  await writeFile(file, `${started} ${accelerator}`);
  return accelerator;
}

/** A guest that is only to fail: it ends at once, as it may not start again. */
async function kvmWorks(image: MachineImage): Promise<boolean> {
  const guest = ['-machine', 'pc,accel=kvm', '-cpu', 'host', '-m', '256M', '-no-reboot', '-nodefaults'];
  const quiet = ['-display', 'none', '-monitor', 'none', '-serial', 'none'];
  const boots = ['-kernel', kernelOf(image), '-append', 'panic=-1'];
  const { code, late } = await runToEnd(emulator, [...guest, ...quiet, ...boots], probeDeadline);
  return code === 0 && !late;
}

function networkFile({ address, subnet }: MachineSpec): MachineFile {
  const lines = ['[Match]', 'Name=eth0', '[Network]', `Address=${address}/24`, `Gateway=${subnet}.1`, ''];
  return { path: '/etc/systemd/network/10-eth0.network', text: lines.join('\n'), mode: 0o644 };
}

/** The process of the machine in a folder. Numbers are used again: it has to have the folder among its arguments. */
async function processOf(home: string): Promise<number | undefined> {
  const pid = Number(await readFile(pidFile(home), 'utf8').catch(() => ''));
  if (!pid) return undefined;
  const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
  return words.includes(pidFile(home)) ? pid : undefined;
}

/** A network device's name has fifteen characters at most. */
function tapOf(home: string): string {
  return `lt${fingerprint(home)}`;
}

/** An address that is locally administered, and the machine's alone on its bridge. */
function macOf(address: string): string {
  const bytes = address.split('.').map((number) => Number(number).toString(16).padStart(2, '0'));
  return ['52', '54', ...bytes].join(':');
}

const diskFile = (home: string) => path.join(home, 'disk.qcow2');
const filesDisk = (home: string) => path.join(home, 'files.img');
const pidFile = (home: string) => path.join(home, 'qemu.pid');
const serialLog = (home: string) => path.join(home, 'serial.log');
