/**
 * Removes a lab, also one whose creator was killed midway: by what its state file says, and by what carries its names.
 * Everything may be gone already.
 */
import { existsSync } from 'node:fs';
import { readdir, readlink, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { removeBridge } from '../../infra/machines/network.ts';
import { baseImages } from '../setup/images/base-images.ts';
import { tryRun } from '../tools/command.ts';
import { removeMachines } from './machine.ts';
import { disconnectHost } from './network.ts';
import { findRegistries } from './registry.ts';
import { isRunning, readState, type HostState } from './state.ts';

const answerTimeout = 20_000;
const controlGroups = '/sys/fs/cgroup';

/** Removes the lab in a folder and the folder. A folder without a lab is left alone. */
export async function removeLab(dataDir: string): Promise<void> {
  const folder = path.resolve(dataDir);
  const state = await readState(folder);
  if (!state) return;
  if (state.registryContainer !== undefined) {
    const env = state.engine === undefined ? {} : { DOCKER_HOST: state.engine };
    await tryRun(['docker', 'rm', '--force', '--volumes', state.registryContainer], { env });
  }
  if (state.relay !== undefined) {
    for (const image of Object.values(baseImages)) await tryRun(['docker', 'rmi', `${state.relay}/${image}`]);
  }
  for (const { pid } of state.kind === 'bare' ? await findRegistries(folder) : []) kill(pid);
  await Promise.all(state.hosts.map(removeHost));
  await removeMachines(folder);
  if (state.bridge !== undefined) await removeBridge(state.bridge, state.subnet ?? '');
  // The kernel may release mounts of a killed engine a moment later, and hold a folder that long.
  await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 });
}

async function removeHost(host: HostState): Promise<void> {
  const deadline = Date.now() + answerTimeout;
  for (;;) {
    const pids = await processesOf(host);
    if (pids.length === 0) break;
    if (Date.now() > deadline) throw new Error(`processes of ${host.name} do not end: ${pids.join(', ')}`);
    pids.forEach(kill);
    await sleep(30);
  }
  await disconnectHost(host.namespace, host.cable);
  await removeControlGroups(host.namespace);
}

// The keeper by its mark, and everything else in the host's network: the lab itself made the namespace.
async function processesOf(host: HostState): Promise<number[]> {
  const keeper = host.keeper && isRunning(host.keeper) ? [host.keeper.pid] : [];
  const namespace = await stat(`/run/netns/${host.namespace}`).catch(() => undefined);
  if (!namespace) return keeper;
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const inside = await Promise.all(
    pids.map(async (pid) => {
      const link = await readlink(`/proc/${pid}/ns/net`).catch(() => '');
      return link === `net:[${namespace.ino}]` ? [Number(pid)] : [];
    }),
  );
  return [...keeper, ...inside.flat()];
}

async function removeControlGroups(name: string): Promise<void> {
  const entries = await readdir(controlGroups).catch(() => []);
  for (const folder of ['.', ...entries].map((entry) => path.join(controlGroups, entry, name))) {
    if (existsSync(folder)) await tryRun(['find', folder, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';']);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself in the meantime.
  }
}
