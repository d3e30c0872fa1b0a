/** The machines of an environment on this computer, of any kind. Each has a folder that records whose it is. */
import { existsSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LockageError } from '../../pipelines/errors.ts';
import { daemonFile, mergeDaemonConfig } from '../../pipelines/hosts/daemon-config.ts';
import { fingerprint } from '../../pipelines/model/fingerprint.ts';
import { sshHostOf } from '../../pipelines/model/target-record.ts';
import type { Host, SshHost } from '../../pipelines/model/target.ts';
import type { ProviderContext } from '../context/provider-context.ts';
import type { MachineInputs, Place } from '../resources/inputs.ts';
import { isDraftOf, writeAtomic } from '../system/atomic-file.ts';
import { folderIn } from '../system/folder-in.ts';
import type { MachineFolders } from '../system/state-folders.ts';
import { machineImage, newMachineImage, type CachedImage } from './image/image.ts';
import { hostKey, identity, identityFile } from './keys.ts';
import { forgetLogs, keepLog, logTail } from './logs.ts';
import { lxc } from './lxc.ts';
import type { MachineFile, MachineKind } from './machine-kind.ts';
import { qemu } from './qemu.ts';

const manifestName = 'machine.json';

const kinds: Readonly<Record<MachineInputs['kind'], MachineKind>> = { lxc, vm: qemu };

/** The record of a machine in its folder. */
interface Manifest extends Place {
  /** hash of what it is made from */
  readonly made: string;
  readonly kind: MachineInputs['kind'];
  /** all its files are there */
  readonly complete: boolean;
}

export type MachineState = 'running' | 'stopped' | 'absent';

/** Returns the host that runs on a machine. */
export function hostOf(folders: MachineFolders, inputs: MachineInputs): SshHost {
  const { host: name, address } = inputs;
  return sshHostOf({
    ...{ name, address, url: `ssh://root@${address}` },
    identity: identityFile(folders.keys, inputs.environment),
    hostKey: inputs.hostKey,
  });
}

/** Returns the image for machines of a kind: that digest's, or today's where none is given. Throws LockageError. */
export function imageFor(folders: MachineFolders, kind: MachineInputs['kind'], digest?: string): Promise<CachedImage> {
  return machineImage(folders.images, kinds[kind].recipe, digest);
}

/** Builds an image of a kind with today's packages. */
export function buildImage(folders: MachineFolders, kind: MachineInputs['kind']): Promise<CachedImage> {
  return newMachineImage(folders.images, kinds[kind].recipe);
}

/** Returns whether a machine exists as it was made, and runs. */
export async function machineState(folders: MachineFolders, inputs: MachineInputs): Promise<MachineState> {
  const home = folderIn(folders.machines, inputs.name);
  const manifest = await readManifest(home);
  if (!manifest?.complete || manifest.made !== madeFrom(inputs)) return 'absent';
  return (await kinds[manifest.kind].runs(home)) ? 'running' : 'stopped';
}

/**
 * Makes and starts a machine, and waits until its engine answers. Safe to repeat: what a killed run left is reused if
 * it is complete, and made again otherwise. A machine that does not come up is removed. Throws LockageError, also when
 * a stranger's machine has its name.
 */
export async function ensureMachine(context: ProviderContext, inputs: MachineInputs): Promise<void> {
  const folders = context.machines;
  const home = folderIn(folders.machines, inputs.name);
  const kind = kinds[inputs.kind];
  await refuseStranger(home, inputs);
  const state = await machineState(folders, inputs);
  const machine = { ...inputs, home, files: await filesOf(folders, inputs) };
  const manifest = { app: inputs.app, environment: inputs.environment, made: madeFrom(inputs), kind: inputs.kind };
  // It may be incomplete, or made from something else.
  if (state === 'absent') await removeMachine(folders, inputs);
  try {
    if (state !== 'running') {
      const image = await imageFor(folders, inputs.kind, inputs.image);
      if (state === 'absent') {
        await writeManifest(home, { ...manifest, complete: false });
        await kind.create(machine, image);
        await writeManifest(home, { ...manifest, complete: true });
      }
      // A connection to a killed or lost machine would block until its timeout.
      await context.disconnect(hostOf(folders, inputs));
      const remark = await kind.start(machine, image);
      if (remark !== undefined) context.progress({ host: inputs.host, step: 'starts', detail: remark });
    }
    await untilItAnswers(context, hostOf(folders, inputs), () => kind.runs(home), kind.bootTimeout);
    await forgetLogs(folders, inputs, inputs.name);
  } catch (error) {
    // Later failures, perhaps for the same reason, must neither hide this error nor keep the machine.
    const lines = await logTail(kind.log(home)).catch(() => []);
    const kept = await keepLog(folders, inputs.name, kind.log(home)).catch(() => undefined);
    const removed = state === 'absent' ? removeMachine(folders, inputs) : undefined;
    const left = (await removed?.then(() => [], messagesOf)) ?? [];
    throw new LockageError(`the machine ${inputs.name} did not come up`, {
      details: [...messagesOf(error), ...lines, ...(kept === undefined ? [] : [`all that it said: ${kept}`]), ...left],
      cause: error,
    });
  }
  context.progress({ host: inputs.host, step: 'machine', detail: `${inputs.name} at ${inputs.address}` });
}

/** Ends a machine and removes everything it had here. Ignores one that is gone, and leaves a stranger's alone. */
export async function removeMachine(folders: MachineFolders, { app, environment, name }: Place & { name: string }) {
  const home = folderIn(folders.machines, name);
  const manifest = await readManifest(home);
  if (manifest?.app !== app || manifest.environment !== environment) return;
  const kind = kinds[manifest.kind];
  await kind.stop(home);
  if (await kind.runs(home)) {
    throw new LockageError(`the machine ${name} does not stop`, { hint: 'Run the same command again.' });
  }
  await removeFolder(home, manifest);
}

/**
 * Removes a machine's folder, its manifest last: it says that the rest is incomplete, so a killed removal is
 * recognized.
 */
async function removeFolder(home: string, manifest: Manifest): Promise<void> {
  // A full disk has no room for it, which makes the removal all the more necessary.
  await writeManifest(home, { ...manifest, complete: false }).catch(() => undefined);
  // The kernel may hold a folder for a moment longer.
  const patiently = { recursive: true, force: true, maxRetries: 20, retryDelay: 250 };
  const parts = (await readdir(home)).filter((name) => name !== manifestName);
  for (const name of parts) await rm(path.join(home, name), patiently);
  await rm(home, patiently);
}

/** Returns the names of the machines that an environment has here, whatever the record says. */
export async function machinesHere(folders: MachineFolders, { app, environment }: Place): Promise<string[]> {
  const names = await readdir(folders.machines).catch(() => []);
  const manifests = await Promise.all(names.map((name) => readManifest(path.join(folders.machines, name))));
  return names.filter((_, index) => manifests[index]?.app === app && manifests[index]?.environment === environment);
}

/** Returns a hash of what makes one machine differ from another; how many there are, and where, does not. */
export function madeFrom({
  kind,
  memory,
  cpus,
  disk,
  image,
  address,
  hostKey: key,
  insecureRegistries,
}: MachineInputs) {
  return fingerprint({ kind, memory, cpus, disk, image, address, key, insecureRegistries });
}

async function refuseStranger(home: string, { app, environment, name }: MachineInputs): Promise<void> {
  const manifest = await readManifest(home);
  if (!existsSync(home) || (manifest?.app === app && manifest.environment === environment)) return;
  // A run that was killed before it recorded the owner left nothing else in the folder.
  const inside = await readdir(home).catch(() => [home]);
  if (inside.every((file) => isDraftOf(manifestName, file))) return;
  throw new LockageError(`there is a folder ${home} that is not of a machine of ${environment}`, {
    hint: `Look what ${name} is, and move it away; then run the same command again.`,
  });
}

async function filesOf(folders: MachineFolders, inputs: MachineInputs): Promise<MachineFile[]> {
  const { host, environment, insecureRegistries } = inputs;
  const [login, own] = await Promise.all([
    identity(folders.keys, environment),
    hostKey(folders.keys, environment, host),
  ]);
  const daemon = mergeDaemonConfig(undefined, { insecureRegistries, swarm: false }).text ?? '{}\n';
  return [
    { path: '/etc/hostname', text: `${host}\n`, mode: 0o644 },
    { path: '/etc/hosts', text: `127.0.0.1 localhost ${host}\n::1 localhost\n`, mode: 0o644 },
    { path: '/etc/resolv.conf', text: await resolverSettings(), mode: 0o644 },
    { path: '/root/.ssh/authorized_keys', text: login.publicKey, mode: 0o600 },
    { path: '/etc/ssh/ssh_host_ed25519_key', text: own.privateKey, mode: 0o600 },
    { path: '/etc/ssh/ssh_host_ed25519_key.pub', text: own.publicKey, mode: 0o644 },
    { path: daemonFile, text: daemon, mode: 0o644 },
  ];
}

/**
 * Returns how this computer resolves names. Where systemd does that at an address of its own, the servers that systemd
 * asks.
 */
async function resolverSettings(): Promise<string> {
  const own = await readFile('/etc/resolv.conf', 'utf8').catch(() => '');
  if (!/^nameserver\s+127\./m.test(own)) return own;
  return readFile('/run/systemd/resolve/resolv.conf', 'utf8').catch(() => own);
}

/** Waits until its engine answers in the way it will be used: over ssh, by its pinned host key. */
async function untilItAnswers(
  context: ProviderContext,
  host: Host,
  runs: () => Promise<boolean>,
  bootTimeout: number,
): Promise<void> {
  for (const end = performance.now() + bootTimeout; ;) {
    try {
      await context.engine(host);
      return;
    } catch (error) {
      context.signal.throwIfAborted();
      if (performance.now() > end) throw error;
      if (!(await runs())) throw new LockageError('it went off by itself', { cause: error });
      await sleep(200);
    }
  }
}

function messagesOf(error: unknown): string[] {
  return error instanceof LockageError ? [error.message, ...error.details] : [String(error)];
}

async function readManifest(home: string): Promise<Manifest | undefined> {
  const text = await readFile(path.join(home, manifestName), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Manifest);
}

async function writeManifest(home: string, manifest: Manifest): Promise<void> {
  await writeAtomic(path.join(home, manifestName), `${JSON.stringify(manifest)}\n`);
}
