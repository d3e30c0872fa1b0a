import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo, ListenOptions } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pinImages, type StandIn } from '../../../infra/adapters/foundation-images.ts';
import { Connections } from '../../../infra/docker/connections.ts';
import { imageKey } from '../../../infra/programs/foundation-plan.ts';
import { RegistryClient } from '../../../infra/registry/client.ts';
import { LockageError } from '../../../pipelines/errors.ts';
import { environment, hostWith } from '../../pipelines/model/values.ts';

const manifest = JSON.stringify({ mediaType: 'application/vnd.oci.image.manifest.v1+json' });
const servers: Server[] = [];
let folder: string;
let image: string;
let pinned: string;
/** names of the images that the host has */
let has: Set<string>;
let registryStatus: number;
let registryHeaders: Readonly<Record<string, string>>;

async function listen(place: ListenOptions, answer: RequestListener): Promise<Server> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(place, resolve));
  return server;
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lockage-images-'));
  has = new Set();
  registryStatus = 200;
  registryHeaders = {};
  await listen({ path: join(folder, 'docker.sock') }, ({ url = '' }, response) => {
    const { pathname, searchParams } = new URL(url, 'http://engine');
    const [, name = ''] = /\/images\/(.+)\/json$/.exec(decodeURIComponent(pathname)) ?? [];
    if (pathname.endsWith('/images/create')) has.add(`${searchParams.get('fromImage')}@${searchParams.get('tag')}`);
    response.statusCode = name === '' || has.has(name) ? 200 : 404;
    response.end(JSON.stringify({ ApiVersion: '1.43', MinAPIVersion: '1.24', Version: '24.0.7' }));
  });
  const registry = await listen({ port: 0, host: '127.0.0.1' }, (_, response) =>
    response.writeHead(registryStatus, { 'Retry-After': '0', ...registryHeaders }).end(manifest),
  );
  const repository = `127.0.0.1:${(registry.address() as AddressInfo).port}/caddy`;
  image = `${repository}:2`;
  pinned = `${repository}@sha256:${createHash('sha256').update(manifest).digest('hex')}`;
});

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(folder, { recursive: true, force: true });
});

/** By what the image is known, and by what name the host has it. */
async function pin(known?: string, standIn?: StandIn): Promise<readonly [string | undefined, string | undefined]> {
  const connections = new Connections({ stateDir: folder });
  const session = { connections, progress: () => undefined, signal: new AbortController().signal };
  const prod = hostWith('prod-1', { url: `unix://${folder}/docker.sock` });
  const ways = { session, registry: new RegistryClient({ dockerConfig: folder }), standIn };
  const uses = [{ host: prod, image }];
  const { images, held } = await pinImages(ways, environment(), uses, known === undefined ? {} : { [image]: known });
  return [images[image], held[imageKey('prod-1', image)]];
}

describe('an edge or accessory image', () => {
  it('is pulled by the digest that its tag has when it is first used', async () => {
    expect(await pin()).toEqual([pinned, pinned]);
    expect(await pin(pinned.replace(/.$/, '0'))).toEqual([pinned.replace(/.$/, '0'), pinned.replace(/.$/, '0')]);
  });

  it('is used by its tag where the registry does not give it and the host has it', async () => {
    registryStatus = 503;
    has.add(image);
    expect(await pin()).toEqual([image, image]);
  });

  it('has another one in its place where nobody has it, if there is one, and never once it was fixed', async () => {
    const other = pinned.replace('/caddy@', '/other@');
    const asked: string[] = [];
    const standIn = async (wanted: string) => {
      asked.push(wanted);
      return other;
    };
    registryStatus = 404;
    await expect(pin(undefined, async () => undefined)).rejects.toThrow(`does not have image ${image}`);
    has.add(other);
    expect([await pin(undefined, standIn), asked]).toEqual([[other, other], [image]]);
    has.add(pinned);
    expect([await pin(pinned, standIn), asked]).toEqual([[pinned, pinned], [image]]);
  });

  it('is nothing else where a registry gives what its name does not say', async () => {
    registryHeaders = { 'Docker-Content-Digest': `sha256:${'0'.repeat(64)}` };
    await expect(pin(undefined, async () => pinned)).rejects.toThrow(/sent .* for 000000000000/);
  });

  it('is not used by its tag where the registry gives something else than it says', async () => {
    registryHeaders = { 'Docker-Content-Digest': `sha256:${'0'.repeat(64)}` };
    has.add(image);
    await expect(pin()).rejects.toThrow(/sent .* for 000000000000/);
  });

  it('that neither the host has nor the registry gives is missing for the reason of the registry', async () => {
    registryStatus = 429;
    const error = await pin().catch((found: unknown) => found);
    expect(error).toMatchObject({
      message: `prod-1 does not have image ${image}, and no registry gives it`,
      details: [expect.stringMatching(/^127\.0\.0\.1:\d+ failed: 429$/), expect.stringContaining('caddy/manifests/2')],
      hint: expect.stringMatching(/^Try again later\. Or push it to a registry/),
      cause: expect.any(LockageError),
    });
  });

  it('that was taken by its tag is left alone where the host has it', async () => {
    has.add(image);
    expect(await pin(image)).toEqual([image, image]);
  });

  it('that was taken by its tag gets its digest from the registry when a host lacks it', async () => {
    expect(await pin(image)).toEqual([pinned, pinned]);
  });
});
