/**
 * Removes what a run of the demo left, even one that was killed: connections, what Lockage deployed on an engine that
 * stays, the lab and the folder.
 */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { labels } from '../../infra/docker/labels.ts';
import { HostKeys } from '../../infra/docker/ssh/host-keys.ts';
import { SshLink } from '../../infra/docker/ssh/ssh.ts';
import type { Project } from '../../pipelines/model/environment.ts';
import { isSshHost } from '../../pipelines/model/target.ts';
import { removeLab } from '../lab/remove.ts';
import { readState, type LabState } from '../lab/state.ts';
import { loadProject } from '../project/load.ts';
import { run, tryRun } from '../tools/command.ts';
import { lockageProgram } from './project.ts';
import { appName, folders } from './stage.ts';

/** Removes everything of the demo. Returns false when there was nothing. */
export async function clean(): Promise<boolean> {
  const { home, lab, project } = folders();
  if (!existsSync(home)) return false;
  // A run that ended early may have left no readable project, and then neither connections nor machines.
  const found = await loadProject(project).catch(() => undefined);
  if (found) await destroyMachines(found);
  if (found) await closeConnections(found);
  const state = await readState(lab);
  if (state?.kind === 'one-engine') await sweepEngine(state);
  await removeLab(lab);
  await rm(home, { recursive: true, force: true });
  return true;
}

/**
 * Destroys the machines that environments made for themselves: they are not part of the lab, and only those
 * environments know all of them.
 */
async function destroyMachines({ root, environments }: Project): Promise<void> {
  for (const { name, machines } of environments) {
    if (!machines) continue;
    const words = ['destroy', name, '--yes', '--volumes'];
    await run([process.execPath, lockageProgram(), ...words], { cwd: root, timeout: 120_000 });
  }
}

async function closeConnections({ root, environments }: Project): Promise<void> {
  const keys = new HostKeys(path.join(root, '.lockage'));
  const remote = environments.flatMap(({ hosts }) => hosts.filter(isSshHost));
  await Promise.all(remote.map((host) => new SshLink(host, keys).disconnect().catch(() => undefined)));
}

/** Removes only what carries the demo's name: the engine is somebody's own. */
async function sweepEngine({ engine, registry }: LabState): Promise<void> {
  const env = engine === undefined ? {} : { DOCKER_HOST: engine };
  const app = appName('one-engine');
  const docker = (...words: string[]) => run(['docker', ...words], { env, timeout: 120_000 });
  const list = async (...words: string[]) => (await docker(...words)).split('\n').filter((line) => line !== '');
  const mine = ['--quiet', '--filter', `label=${labels.app}=${app}`];
  const containers = await list('container', 'ls', '--all', ...mine);
  if (containers.length > 0) await docker('container', 'rm', '--force', '--volumes', ...containers);
  const networks = await list('network', 'ls', ...mine);
  if (networks.length > 0) await docker('network', 'rm', ...networks);
  const volumes = await list('volume', 'ls', ...mine);
  if (volumes.length > 0) await docker('volume', 'rm', '--force', ...volumes);
  const format = '{{.Repository}}\t{{.Tag}}\t{{.Digest}}';
  const images = await list('image', 'ls', '--digests', '--format', format);
  for (const [repository = '', tag = '', digest = ''] of images.map((line) => line.split('\t'))) {
    if (!repository.startsWith(`${registry}/`)) continue;
    for (const name of [tag === '<none>' ? '' : `:${tag}`, digest === '<none>' ? '' : `@${digest}`]) {
      if (name !== '') await tryRun(['docker', 'image', 'rm', `${repository}${name}`], { env });
    }
  }
}
