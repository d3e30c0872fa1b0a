/** The lab's registry: Debian's docker-registry as a process on the machine, listening on the lab's bridge only. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startDetached } from '../../infra/system/process.ts';
import { registryConfig } from '../setup/images/registry.ts';
import { isRunning, markProcess, type ProcessMark } from './state.ts';

/** Starts the registry of a lab and waits until it answers. */
export async function startRegistry(dataDir: string, address: string): Promise<ProcessMark> {
  const folder = path.join(dataDir, 'registry');
  await mkdir(path.join(folder, 'data'), { recursive: true });
  await writeFile(configFile(dataDir), registryConfig({ address, data: path.join(folder, 'data') }));
  const child = startDetached(['docker-registry', 'serve', configFile(dataDir)], path.join(folder, 'log'));
  if (child.pid === undefined) throw new Error('docker-registry cannot be started: is its package installed?');
  const mark = markProcess(child.pid);
  await waitForHttp(`http://${address}/v2/`, 15_000, () => isRunning(mark));
  return mark;
}

/** Finds the registry processes of a lab's folder, also one whose creator died before it could record it. */
export async function findRegistries(dataDir: string): Promise<ProcessMark[]> {
  const wanted = ['docker-registry', 'serve', configFile(dataDir)].join('\0');
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found: ProcessMark[] = [];
  for (const pid of pids) {
    const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (words.replace(/\0$/, '') === wanted) found.push(markProcess(Number(pid)));
  }
  return found;
}

/** Waits until an HTTP server answers 200. */
export async function waitForHttp(url: string, timeout: number, alive: () => boolean = () => true): Promise<void> {
  const deadline = Date.now() + timeout;
  while (Date.now() < deadline && alive()) {
    if (await answers(url)) return;
    await sleep(40);
  }
  throw new Error(`${url} did not answer within ${timeout / 1000} s`);
}

function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const call = request(url, { timeout: 1000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    call.on('timeout', () => call.destroy());
    call.on('error', () => resolve(false));
    call.end();
  });
}

function configFile(dataDir: string): string {
  return path.join(dataDir, 'registry', 'config.yml');
}
