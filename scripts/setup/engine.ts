import { accessSync, constants, existsSync } from 'node:fs';
import { Engine } from '../../infra/docker/api/client.ts';
import { cacheLock } from '../tools/cache.ts';
import { ask, findProgram, rootWords } from './command.ts';
import { startEngine } from './engine-start.ts';
import { withLock } from './lock.mjs';
import { installPackages } from './packages.ts';
import { StepError, type Step } from './step.ts';

const ownSocket = '/var/run/docker.sock';

/**
 * Makes the step for a Docker Engine that answers: the one of `DOCKER_HOST`, or this machine's, installed and started
 * if necessary.
 */
export function dockerEngineStep(): Step {
  return {
    name: 'Docker Engine',
    why: 'runs the containers of every environment',
    async ready() {
      const version = await engineVersion();
      return version && `${version} answers at ${process.env.DOCKER_HOST ?? ownSocket}`;
    },
    async run(progress) {
      refuseWhereNotOurs();
      const root = await rootWords();
      if (!root) {
        throw new StepError(
          `no Docker Engine answers at ${ownSocket}, and starting one needs root`,
          'start Docker (sudo systemctl start docker), install it (https://docs.docker.com/engine/install/), set ' +
            'DOCKER_HOST to an engine that runs, or run this once as root or with sudo that asks no password.',
        );
      }
      return await withLock(cacheLock('docker-engine'), async () => {
        if (await engineVersion()) return 'started by another set-up meanwhile';
        const installed = await installEngine(progress);
        const version = await startEngine(root, engineVersion, progress);
        return `${version} ${installed ? 'installed and ' : ''}started`;
      });
    },
  };
}

/** Returns the version of the Docker Engine that clients on this machine reach, or undefined when none answers. */
export async function engineVersion(): Promise<string | undefined> {
  const address = process.env.DOCKER_HOST ?? `unix://${ownSocket}`;
  // Only the Docker CLI understands other addresses (ssh, TLS).
  if (!address.startsWith('unix://')) return await ask(['docker', 'version', '--format', '{{.Server.Version}}']);
  const engine = new Engine({ host: 'this machine', socketPath: address.slice('unix://'.length) });
  return await engine
    .version({ deadline: 10_000 })
    .then(
      ({ Version }) => Version,
      () => undefined,
    )
    .finally(() => engine.close());
}

function refuseWhereNotOurs(): void {
  if (process.env.DOCKER_HOST !== undefined) {
    throw new StepError(
      `no Docker Engine answers at DOCKER_HOST=${process.env.DOCKER_HOST}`,
      'start that engine, or unset DOCKER_HOST to use the one of this machine.',
    );
  }
  if (existsSync(ownSocket) && !isWritable(ownSocket)) {
    throw new StepError(
      `this user may not use the Docker Engine at ${ownSocket}`,
      'join its group (`sudo usermod -aG docker $USER`) and log in again, or set DOCKER_HOST to another engine.',
    );
  }
  if (process.platform !== 'linux') {
    throw new StepError(
      `no Docker Engine answers at ${ownSocket}`,
      'start Docker Desktop; with Colima, OrbStack or another one, set DOCKER_HOST to the address that ' +
        '`docker context inspect` shows.',
    );
  }
}

async function installEngine(progress: (line: string) => void): Promise<boolean> {
  if (findProgram('dockerd') !== undefined) return false;
  if (findProgram('apt-get') === undefined) {
    throw new StepError(
      'there is no Docker Engine on this machine',
      'install it (https://docs.docker.com/engine/install/), then run this again.',
    );
  }
  await installPackages(['docker.io'], progress);
  // Later Debian releases have the command line in a package of its own.
  if (findProgram('docker') === undefined) await installPackages(['docker-cli'], progress);
  return true;
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
