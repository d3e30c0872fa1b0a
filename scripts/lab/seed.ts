/**
 * Puts base images into a lab's registry. Packing them is the slow part, so the packed form is kept in a cache by the
 * images' ids: the next lab copies files.
 */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import path from 'node:path';
import { baseImages, type BaseImage } from '../setup/images/base-images.ts';
import { run, tryRun } from '../tools/command.ts';
import { cachedFolder, keepFolder } from './image-cache.ts';

export interface SeedOptions {
  readonly dataDir: string;
  readonly registry: string;
  readonly images: readonly BaseImage[];
  readonly log: (line: string) => void;
  /** called with the address under which images are tagged during the push, before the first is */
  readonly onRelay: (address: string) => Promise<void>;
}

/** Makes sure that the registry has the images; returns their references by digest. */
export async function seedImages(options: SeedOptions): Promise<Record<string, string>> {
  const { dataDir, registry, images, log, onRelay } = options;
  if (images.length === 0) return {};
  const started = performance.now();
  const store = path.join(dataDir, 'registry', 'data');
  const packed = await cachedFolder('lab-registry', images);
  let digests: Record<string, string>;
  if (existsSync(path.join(packed, 'digests.json'))) {
    await run(['cp', '-a', '--reflink=auto', `${path.join(packed, 'data')}/.`, store]);
    digests = JSON.parse(await readFile(path.join(packed, 'digests.json'), 'utf8')) as Record<string, string>;
  } else {
    digests = await pushAll(registry, images, onRelay);
    const pushed = JSON.stringify(digests);
    await keepFolder(packed, async (draft) => {
      await run(['cp', '-a', '--reflink=auto', store, path.join(draft, 'data')]);
      await writeFile(path.join(draft, 'digests.json'), pushed);
    });
  }
  log(`base images ${images.join(', ')} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
  return Object.fromEntries(
    Object.entries(digests).map(([image, digest]) => [
      image,
      `${registry}/${baseImages[image as BaseImage]}@${digest}`,
    ]),
  );
}

// The machine's engine speaks plain HTTP to 127.0.0.1 only, so the registry gets that address for the push.
async function pushAll(
  registry: string,
  images: readonly BaseImage[],
  onRelay: SeedOptions['onRelay'],
): Promise<Record<string, string>> {
  const [host = '', port = ''] = registry.split(':');
  const relay = createServer((socket) => {
    const onward = connect(Number(port), host);
    socket.pipe(onward).pipe(socket);
    socket.on('error', () => onward.destroy());
    onward.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  const listening = relay.address();
  const local = `127.0.0.1:${typeof listening === 'object' ? listening?.port : ''}`;
  try {
    await onRelay(local);
    const digests: Record<string, string> = {};
    for (const image of images) digests[image] = await push(baseImages[image], `${local}/${baseImages[image]}`);
    return digests;
  } finally {
    relay.close();
  }
}

/** Pushes a local image as `target` and returns the digest of its manifest. */
export async function push(local: string, target: string): Promise<string> {
  await run(['docker', 'tag', local, target]);
  try {
    const said = await run(['docker', 'push', target], { timeout: 300_000 });
    const digest = /digest: (sha256:[0-9a-f]{64})/.exec(said)?.[1];
    if (digest === undefined) throw new Error(`the push of ${target} gave no digest`);
    return digest;
  } finally {
    await tryRun(['docker', 'rmi', target]);
  }
}
