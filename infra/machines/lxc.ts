/** LXC system containers: systemd as the first process, an sshd and a Docker Engine of their own, in two seconds. */
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runDaemon, runProgram, tryRunProgram } from '../system/run-program.ts';
import { writeInto } from './files.ts';
import { archiveOf, hostRecipe } from './image/image.ts';
import type { MachineKind } from './machine-kind.ts';
import { hardwareAddress } from './network.ts';

export const lxc: MachineKind = {
  recipe: hostRecipe,
  bootTimeout: 60_000,
  async create(machine, image) {
    const root = await unpackRoot(machine.home, archiveOf(image));
    await writeInto(root, machine.files);
    const gateway = `${machine.subnet}.1`;
    const { host: name, bridge, address, memory, cpus } = machine;
    await writeLxcConfig(machine.home, { name, root, bridge, address, gateway, memory, cpus });
  },
  async start(machine) {
    await startLxc(machine.home);
    return undefined;
  },
  runs: async (home) => (await tryRunProgram(['lxc-info', ...lxcName(home), '-s', '-H']))?.trim() === 'RUNNING',
  stop: stopLxc,
  log: logFile,
};

/** The settings in the configuration of a system container. */
export interface LxcSettings {
  readonly name: string;
  readonly root: string;
  readonly bridge: string;
  readonly address: string;
  readonly gateway: string;
  /** bytes */
  readonly memory?: number;
  readonly cpus?: number;
}

/** Unpacks a root file system into a machine's folder; returns its path. */
export async function unpackRoot(home: string, archive: string): Promise<string> {
  const root = path.join(home, 'rootfs');
  await mkdir(root, { recursive: true, mode: 0o755 });
  await runProgram(['tar', '-C', root, '--numeric-owner', '-xpf', archive], 180_000);
  return root;
}

/** Starts the system container in a folder, with the configuration there. */
export async function startLxc(home: string): Promise<void> {
  await runDaemon(['lxc-start', ...lxcName(home), '-f', path.join(home, 'config'), '-o', logFile(home)]);
}

/** Kills the system container in a folder. Does nothing when it does not run, or was never started. */
export async function stopLxc(home: string): Promise<void> {
  await tryRunProgram(['lxc-stop', ...lxcName(home), '--kill'], 30_000);
}

/** Returns the arguments that name the system container in a folder. */
export function lxcName(home: string): string[] {
  return ['-P', path.dirname(home), '-n', path.basename(home)];
}

/** Returns the log file of a system container's start. */
export function logFile(home: string): string {
  return path.join(home, 'lxc.log');
}

/** Writes the configuration of the system container in a folder. */
export async function writeLxcConfig(home: string, machine: LxcSettings): Promise<void> {
  const settings = [
    `lxc.uts.name = ${machine.name}`,
    `lxc.rootfs.path = dir:${machine.root}`,
    'lxc.net.0.type = veth',
    `lxc.net.0.link = ${machine.bridge}`,
    'lxc.net.0.name = eth0',
    'lxc.net.0.flags = up',
    `lxc.net.0.hwaddr = ${hardwareAddress(machine.address)}`,
    `lxc.net.0.ipv4.address = ${machine.address}/24`,
    `lxc.net.0.ipv4.gateway = ${machine.gateway}`,
    // Containers must run inside, so the machine has all rights that a real one has.
    'lxc.apparmor.profile = unconfined',
    'lxc.cap.drop =',
    ...groupSettings(machine),
    'lxc.mount.auto = proc:rw sys:rw cgroup:rw:force',
    'lxc.autodev = 1',
    'lxc.tty.max = 0',
    'lxc.pty.max = 256',
  ];
  await writeFile(path.join(home, 'config'), `${settings.join('\n')}\n`);
}

// A kernel with the old control groups does not know the settings of the new ones, and vice versa.
function groupSettings({ memory, cpus }: LxcSettings): string[] {
  const period = 100_000;
  const share = cpus === undefined ? undefined : Math.round(cpus * period);
  if (existsSync('/sys/fs/cgroup/cgroup.controllers')) {
    return [
      'lxc.cgroup2.devices.allow = a',
      ...(memory === undefined ? [] : [`lxc.cgroup2.memory.max = ${memory}`]),
      ...(share === undefined ? [] : [`lxc.cgroup2.cpu.max = ${share} ${period}`]),
    ];
  }
  return [
    'lxc.cgroup.devices.allow = a',
    ...(memory === undefined ? [] : [`lxc.cgroup.memory.limit_in_bytes = ${memory}`]),
    ...(share === undefined
      ? []
      : [`lxc.cgroup.cpu.cfs_period_us = ${period}`, `lxc.cgroup.cpu.cfs_quota_us = ${share}`]),
  ];
}
