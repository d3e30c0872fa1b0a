import { readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Environment } from '../../pipelines/model/environment.ts';
import type { Release } from '../../pipelines/model/release.ts';
import type { HostStorage, RegistryImage, StoredMachineImage } from '../../pipelines/model/storage.ts';
import type { Host } from '../../pipelines/model/target.ts';
import type { Storage } from '../../pipelines/operations/ports/storage.ts';
import type { Session } from '../context/session.ts';
import { queryHosts } from '../hosts/query.ts';
import { storedOn } from '../hosts/stored.ts';
import { storedImages } from '../machines/image/image.ts';
import type { RegistryClient } from '../registry/client.ts';

/** Milliseconds that a host has to answer; volumes are measured. */
const timeouts = { first: 10_000, total: 60_000 };
/** Requests to a registry at once. */
const atOnce = 8;

/** The images and volumes on hosts, in the registry and on this computer. */
export class StorageAdapter implements Storage {
  readonly #app: string;
  readonly #session: Session;
  readonly #registry: RegistryClient;
  readonly #free: (() => Promise<void>) | undefined;

  /** `free` has the registry collect its garbage; absent: it is somebody else's, and does so by itself. */
  constructor(app: string, session: Session, registry: RegistryClient, free?: () => Promise<void>) {
    this.#app = app;
    this.#session = session;
    this.#registry = registry;
    this.#free = free;
  }

  async onHosts(
    { name }: Environment,
    hosts: readonly Host[],
    repositories: readonly string[],
  ): Promise<readonly HostStorage[]> {
    const place = { app: this.#app, environment: name, repositories };
    return Promise.all(
      hosts.map(async (host): Promise<HostStorage> => {
        const [found] = await queryHosts([host], timeouts, async (_target, signal, heard) => {
          const engine = await this.#session.connections.engine(host);
          heard();
          return storedOn(engine, host, place, { signal, deadline: timeouts.total });
        });
        if (found && 'answer' in found) return found.answer;
        return { host, error: found?.error ?? 'does not answer' };
      }),
    );
  }

  async removeImage(host: Host, names: readonly string[]): Promise<void> {
    const engine = await this.#session.connections.engine(host);
    for (const name of names) await engine.removeImage(name);
    this.#session.progress({ host: host.name, step: 'remove', detail: names[0] ?? '' });
  }

  async removeVolume(host: Host, name: string): Promise<void> {
    await (await this.#session.connections.engine(host)).removeVolume(name);
    this.#session.progress({ host: host.name, step: 'remove', detail: `volume ${name.slice(0, 12)}` });
  }

  async inRegistry(releases: readonly Release[]): Promise<readonly RegistryImage[]> {
    const found: RegistryImage[] = [];
    for (let from = 0; from < releases.length; from += atOnce) {
      const some = releases.slice(from, from + atOnce).map(async ({ repository, digest }) => {
        const size = await this.#registry.size(repository, digest);
        return size ? [{ repository, digest, ...size }] : [];
      });
      found.push(...(await Promise.all(some)).flat());
    }
    return found;
  }

  removeFromRegistry({ repository, digest }: RegistryImage): Promise<boolean> {
    return this.#registry.remove(repository, digest);
  }

  async freeRegistry(): Promise<void> {
    await this.#free?.();
  }

  async machineImages(): Promise<readonly StoredMachineImage[]> {
    const images = await storedImages(this.#session.machines.images);
    return Promise.all(
      images.map(async ({ digest, shared, folder }) => ({ digest, shared, bytes: await bytesIn(folder) })),
    );
  }

  async removeMachineImage(digest: string): Promise<void> {
    const images = await storedImages(this.#session.machines.images);
    for (const { folder, shared } of images.filter((image) => image.digest === digest))
      if (!shared) await rm(folder, { recursive: true, force: true });
  }
}

/** Returns what the files of a folder take on the disk. */
async function bytesIn(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const sizes = entries
    .filter((entry) => entry.isFile())
    .map(async ({ name }) => (await stat(path.join(folder, name))).blocks * 512);
  return (await Promise.all(sizes)).reduce((sum, bytes) => sum + bytes, 0);
}
