/** Machines of an environment on this computer, of whatever kind. Each has a folder that says whose it is. */
import { existsSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { daemonFile, mergeDaemonConfig } from '../../pipelines/hosts/daemon-config.ts';
import { LockageError } from '../../pipelines/errors.ts';
import type { MachineInputs, Place } from '../resources/inputs.ts';
import type { ProviderContext } from '../context/provider-context.ts';
import { machineImage, newMachineImage, type CachedImage } from './image/image.ts';
import { hostKey, identity, identityFile } from './keys.ts';
import { forgetLogs, keepLog, logTail } from './logs.ts';
import { lxc } from './lxc.ts';
import { qemu } from './qemu.ts';
import type { MachineFile, MachineKind } from './types.ts';
import { isDraftOf, writeAtomic } from '../system/atomic-file.ts';
import { folderIn } from '../system/folder-in.ts';
import type { MachineFolders } from '../system/state-folders.ts';
import { fingerprint } from '../../pipelines/model/fingerprint.ts';
import { sshHostOf } from '../../pipelines/model/target-record.ts';
import type { Host, SshHost } from '../../pipelines/model/target.ts';

const markName = 'machine.json';

const kinds: Readonly<Record<MachineInputs['kind'], MachineKind>> = { lxc, vm: qemu };

/** What a machine's folder says of it. */
interface Manifest extends Place {
  /** hash of what it is made from */
  readonly made: string;
  readonly kind: MachineInputs['kind'];
  /** its files are all there */
  readonly complete: boolean;
}

export type MachineState = 'running' | 'stopped' | 'absent';

/** Returns the host that a machine is. */
export function hostOf(places: MachineFolders, inputs: MachineInputs): SshHost {
  const { host: name, address } = inputs;
  return sshHostOf({
    ...{ name, address, url: `ssh://root@${address}` },
    identity: identityFile(places.keys, inputs.environment),
    hostKey: inputs.hostKey,
  });
}

/** The image that machines of a kind are made from: that digest's, or today's where none is given. Throws LockageError. */
export function imageFor(places: MachineFolders, kind: MachineInputs['kind'], digest?: string): Promise<CachedImage> {
  return machineImage(places.images, kinds[kind].recipe, digest);
}

/** An image of a kind as its packages are today. */
export function buildImage(places: MachineFolders, kind: MachineInputs['kind']): Promise<CachedImage> {
  return newMachineImage(places.images, kinds[kind].recipe);
}

/** Whether a machine is there as it was made, and runs. */
export async function machineState(places: MachineFolders, inputs: MachineInputs): Promise<MachineState> {
  const home = folderIn(places.machines, inputs.name);
  const mark = await readManifest(home);
  if (!mark?.complete || mark.made !== madeFrom(inputs)) return 'absent';
  return (await kinds[mark.kind].runs(home)) ? 'running' : 'stopped';
}

/**
 * Makes and starts a machine, and waits until its engine answers. Safe to repeat: what a killed run left is taken over
 * if it is complete, else made again. One that does not come up leaves nothing.
 * Throws LockageError, also when a stranger's machine has its name.
 */
export async function ensureMachine(context: ProviderContext, inputs: MachineInputs): Promise<void> {
  const places = context.machines;
  const home = folderIn(places.machines, inputs.name);
  const kind = kinds[inputs.kind];
  await refuseStranger(home, inputs);
  const state = await machineState(places, inputs);
  const machine = { ...inputs, home, files: await filesOf(places, inputs) };
  const mark = { app: inputs.app, environment: inputs.environment, made: madeFrom(inputs), kind: inputs.kind };
  // Half of it, or one of another making.
  if (state === 'absent') await removeMachine(places, inputs);
  try {
    if (state !== 'running') {
      const image = await imageFor(places, inputs.kind, inputs.image);
      if (state === 'absent') {
        await writeManifest(home, { ...mark, complete: false });
        await kind.create(machine, image);
        await writeManifest(home, { ...mark, complete: true });
      }
      // A connection to one that was killed, or is gone, would be waited for until it is given up.
      await context.disconnect(hostOf(places, inputs));
      const remark = await kind.start(machine, image);
      if (remark !== undefined) context.progress({ host: inputs.host, step: 'starts', detail: remark });
    }
    await untilItAnswers(context, hostOf(places, inputs), () => kind.runs(home), kind.bootTimeout);
    await forgetLogs(places, inputs, inputs.name);
  } catch (error) {
    // What fails from here on, perhaps for the same reason, neither hides it nor keeps the machine.
    const said = await logTail(kind.log(home)).catch(() => []);
    const kept = await keepLog(places, inputs.name, kind.log(home)).catch(() => undefined);
    const removed = state === 'absent' ? removeMachine(places, inputs) : undefined;
    const left = (await removed?.then(() => [], messagesOf)) ?? [];
    throw new LockageError(`the machine ${inputs.name} did not come up`, {
      details: [...messagesOf(error), ...said, ...(kept === undefined ? [] : [`all that it said: ${kept}`]), ...left],
      cause: error,
    });
  }
  context.progress({ host: inputs.host, step: 'machine', detail: `${inputs.name} at ${inputs.address}` });
}

/** Ends a machine and removes all it had here. What is gone already is fine, a stranger's is left alone. */
export async function removeMachine(places: MachineFolders, { app, environment, name }: Place & { name: string }) {
  const home = folderIn(places.machines, name);
  const mark = await readManifest(home);
  if (mark?.app !== app || mark.environment !== environment) return;
  const kind = kinds[mark.kind];
  await kind.stop(home);
  if (await kind.runs(home)) {
    throw new LockageError(`the machine ${name} does not stop`, { hint: 'Run the same command again.' });
  }
  await removeHome(home, mark);
}

/** The mark goes last, and says that the rest is not whole: what a killed removal left is known for what it is. */
async function removeHome(home: string, mark: Manifest): Promise<void> {
  // A full disk has no room for it, and has to be freed all the more.
  await writeManifest(home, { ...mark, complete: false }).catch(() => undefined);
  // What the kernel frees a moment later may hold a folder that long.
  const patiently = { recursive: true, force: true, maxRetries: 20, retryDelay: 250 };
  const parts = (await readdir(home)).filter((name) => name !== markName);
  for (const name of parts) await rm(path.join(home, name), patiently);
  await rm(home, patiently);
}

/** Names of the machines that an environment has here, whatever the record says. */
export async function machinesHere(places: MachineFolders, { app, environment }: Place): Promise<string[]> {
  const names = await readdir(places.machines).catch(() => []);
  const marks = await Promise.all(names.map((name) => readManifest(path.join(places.machines, name))));
  return names.filter((_, index) => marks[index]?.app === app && marks[index]?.environment === environment);
}

/** What makes one machine another; how many there are, and where, does not. */
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
  const mark = await readManifest(home);
  if (!existsSync(home) || (mark?.app === app && mark.environment === environment)) return;
  // A run that was killed before it could say whose the folder is has nothing else in it.
  const inside = await readdir(home).catch(() => [home]);
  if (inside.every((file) => isDraftOf(markName, file))) return;
  throw new LockageError(`there is a folder ${home} that is not of a machine of ${environment}`, {
    hint: `Look what ${name} is, and move it away; then run the same command again.`,
  });
}

async function filesOf(places: MachineFolders, inputs: MachineInputs): Promise<MachineFile[]> {
  const { host, environment, insecureRegistries } = inputs;
  const [login, own] = await Promise.all([identity(places.keys, environment), hostKey(places.keys, environment, host)]);
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

/** How this computer finds names. Where systemd does that for it, at an address that is its own, what systemd asks. */
async function resolverSettings(): Promise<string> {
  const own = await readFile('/etc/resolv.conf', 'utf8').catch(() => '');
  if (!/^nameserver\s+127\./m.test(own)) return own;
  return readFile('/run/systemd/resolve/resolv.conf', 'utf8').catch(() => own);
}

/** Until its engine answers the way it will be used: over ssh, by its pinned host key. */
async function untilItAnswers(
  context: ProviderContext,
  host: Host,
  runs: () => Promise<boolean>,
  bootTimeout: number,
): Promise<void> {
  for (const end = Date.now() + bootTimeout; ;) {
    try {
      await context.engine(host);
      return;
    } catch (error) {
      context.signal.throwIfAborted();
      if (Date.now() > end) throw error;
      if (!(await runs())) throw new LockageError('it went off by itself', { cause: error });
      await sleep(200);
    }
  }
}

function messagesOf(error: unknown): string[] {
  return error instanceof LockageError ? [error.message, ...error.details] : [String(error)];
}

async function readManifest(home: string): Promise<Manifest | undefined> {
  const text = await readFile(path.join(home, markName), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Manifest);
}

async function writeManifest(home: string, mark: Manifest): Promise<void> {
  await writeAtomic(path.join(home, markName), `${JSON.stringify(mark)}\n`);
}
