/**
 * The lab for a machine without root, or without Linux: the one Docker Engine that answers is every environment's only
 * host and the builder, with a registry in a container beside. Nothing in it can be broken on purpose.
 */
import { existsSync, readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { baseImages, type BaseImage } from '../setup/images/base-images.ts';
import { run } from '../tools/command.ts';
import type { Lab, LabHost } from './lab.ts';
import { waitForHttp } from './registry.ts';
import { removeLab } from './remove.ts';
import { push } from './seed.ts';
import { StateFile } from './state.ts';

/** A host of one environment, which shares its engine with all others. */
export interface EngineHost extends LabHost {
  /** a free port: the environments cannot all publish the same one here */
  readonly publish: number;
}

export interface OneEngineOptions {
  readonly name: string;
  readonly environments: readonly string[];
  /** a new folder for all files of the lab */
  readonly dataDir: string;
  readonly log?: (line: string) => void;
  /** base images to have in the lab's registry */
  readonly seed?: readonly BaseImage[];
}

/** Makes a lab on the engine that the Docker CLI talks to. */
export async function createOneEngineLab(options: OneEngineOptions): Promise<Lab<EngineHost>> {
  const dataDir = path.resolve(options.dataDir);
  if (existsSync(dataDir) && readdirSync(dataDir).length > 0) {
    throw new Error(`${dataDir} is not empty: remove the lab in it first, or take another folder`);
  }
  const engine = await engineUrl();
  const [registryPort = 0, ...ports] = await freePorts(options.environments.length + 1);
  const registry = `127.0.0.1:${registryPort}`;
  const registryContainer = `lockage-lab-${options.name}-registry`;
  const file = new StateFile(dataDir, {
    kind: 'one-engine',
    name: options.name,
    registry,
    registryContainer,
    engine,
    hosts: [],
    images: {},
  });
  await file.update({});
  try {
    await startRegistryContainer(engine, registryContainer, registry);
    options.log?.(`registry ${registry} on ${engine}`);
    for (const image of options.seed ?? []) {
      const digest = await push(baseImages[image], `${registry}/${baseImages[image]}`);
      await file.update({ images: { ...file.state.images, [image]: `${registry}/${baseImages[image]}@${digest}` } });
    }
  } catch (error) {
    await removeLab(dataDir);
    throw error;
  }
  const hosts = options.environments.map((environment, index) => ({
    name: `${environment}-1`,
    environment,
    url: engine,
    dockerHost: engine,
    address: '127.0.0.1',
    publish: ports[index] ?? 0,
  }));
  return labOf(file, { dataDir, engine, registryContainer, hosts });
}

interface Made {
  readonly dataDir: string;
  readonly engine: string;
  readonly registryContainer: string;
  readonly hosts: readonly EngineHost[];
}

function labOf({ state }: StateFile, { dataDir, engine, registryContainer, hosts }: Made): Lab<EngineHost> {
  const { name: lab, registry, images } = state;
  const docker = (...words: string[]) => run(['docker', ...words], { env: { DOCKER_HOST: engine } });
  return {
    name: lab,
    dataDir,
    registry,
    builder: { dockerHost: engine, address: '127.0.0.1' },
    hosts,
    images,
    host: (name) => {
      const found = hosts.find((host) => host.name === name);
      if (!found) throw new Error(`the lab has no host ${name}; it has ${hosts.map((host) => host.name).join(', ')}`);
      return found;
    },
    stopRegistry: async () => void (await docker('stop', '--time', '1', registryContainer)),
    startRegistry: async () => {
      await docker('start', registryContainer);
      await waitForHttp(`http://${registry}/v2/`, 15_000);
    },
    remove: () => removeLab(dataDir),
  };
}

async function startRegistryContainer(engine: string, name: string, registry: string): Promise<void> {
  await run(
    [
      ...['docker', 'run', '--detach', '--name', name, '--publish', `${registry}:5000`],
      ...['--env', 'REGISTRY_STORAGE_DELETE_ENABLED=true', baseImages.registry],
    ],
    { env: { DOCKER_HOST: engine } },
  );
  await waitForHttp(`http://${registry}/v2/`, 15_000);
}

async function engineUrl(): Promise<string> {
  const format = '{{.Endpoints.docker.Host}}';
  const url = process.env.DOCKER_HOST ?? (await run(['docker', 'context', 'inspect', '--format', format])).trim();
  if (!url.startsWith('unix://')) throw new Error(`the lab needs an engine on this machine, and Docker uses ${url}`);
  return url;
}

// All are held until the last one is known, or the same port could come twice.
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  try {
    return await Promise.all(
      servers.map(async (server) => {
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
        const address = server.address();
        return typeof address === 'object' && address ? address.port : 0;
      }),
    );
  } finally {
    for (const server of servers) server.close();
  }
}
