import { mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Bundle } from '../../../infra/registry/bundle/bundle.ts';
import { writeBundle, type ImageToBundle } from '../../../infra/registry/bundle/write-bundle.ts';
import { blobPath, sumsText } from '../../../infra/registry/bundle/layout.ts';
import { tarEnd, tarEntries, tarHeader, tarPadding, type TarEntry } from '../../../infra/system/tar-file.ts';
import { LockageError } from '../../../pipelines/errors.ts';
import { imageByDigest } from '../../../pipelines/model/release.ts';
import { withOddity } from '../../support/odd-json.ts';
import { digestOf, recordedWith, testImage, type TestImage } from './values.ts';

const own = testImage('base', 'the application');
const edge = testImage('base', 'the proxy');
const recorded = recordedWith(own, edge);
const images = [own.toBundle(imageByDigest(recorded.release)), edge.toBundle(recorded.edge.image)];
const never = new AbortController().signal;

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockage-bundle-'));
  file = join(folder, 'prod.lockage');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function entriesOf(path: string): Promise<TarEntry[]> {
  const handle = await open(path);
  try {
    const found: TarEntry[] = [];
    for await (const entry of tarEntries(handle)) found.push(entry);
    return found;
  } finally {
    await handle.close();
  }
}

async function refusalOf(path: string): Promise<string> {
  const error = await Bundle.open(path).then(
    async (bundle) => bundle.close(),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(LockageError);
  return (error as LockageError).message;
}

/** Opens a bundle and gives its first image to nobody, in both forms. */
async function readAll(path: string): Promise<void> {
  const bundle = await Bundle.open(path);
  try {
    const image = await bundle.image(imageByDigest(recorded.release));
    for (const form of [image?.read(0), image?.readLayout()]) for await (const _ of form ?? []);
  } finally {
    await bundle.close();
  }
}

function configurationOf({ manifest }: TestImage): string {
  return blobPath((JSON.parse(manifest.toString()) as { config: { digest: string } }).config.digest);
}

/** Writes a bundle once more, with another text in one place, and with hashes that fit: a blob has another name then, also where it is named. */
function withContent(contents: ReadonlyMap<string, Buffer>, changed: string, text: string): Buffer {
  const names = new Map<string, string>();
  if (changed.startsWith('blobs/'))
    names.set(changed.slice('blobs/sha256/'.length), digestOf(text).slice('sha256:'.length));
  const renamed = (written: string) => [...names].reduce((all, [from, to]) => all.replaceAll(from, to), written);
  const isManifest = changed === blobPath(own.digest);
  const all = new Map<string, Buffer>();
  for (const [path, content] of contents) {
    if (path === 'SHA256SUMS') continue;
    const isText = path === changed || !path.startsWith('blobs/') || path === blobPath(own.digest);
    const next = path === changed ? text : content.toString();
    if (!isManifest && path === blobPath(own.digest) && names.size > 0) {
      const manifest = renamed(next);
      names.set(own.digest.slice('sha256:'.length), digestOf(manifest).slice('sha256:'.length));
      all.set(renamed(path), Buffer.from(manifest));
    } else all.set(path, isText ? Buffer.from(next) : content);
  }
  const sums = new Map<string, string>();
  const parts: Buffer[] = [];
  const add = (path: string, content: Buffer) =>
    void parts.push(tarHeader(path, content.length), content, tarPadding(content.length));
  for (const [path, content] of all) {
    const [place, bytes] =
      path === changed || path.startsWith('blobs/')
        ? [renamed(path), content]
        : [path, Buffer.from(renamed(content.toString()))];
    sums.set(place, digestOf(bytes).slice('sha256:'.length));
    add(place, bytes);
  }
  add('SHA256SUMS', Buffer.from(sumsText(sums)));
  return Buffer.concat([...parts, tarEnd]);
}

describe('a bundle', () => {
  test('has all that was put into it, under one digest, and the same revision gives the same bytes', async () => {
    const written = await writeBundle(file, recorded, images, never);
    const other = join(folder, 'other.lockage');
    await writeBundle(other, recorded, images, never);
    expect((await readFile(file)).equals(await readFile(other))).toBe(true);
    const bundle = await Bundle.open(file);
    expect([bundle.digest, bundle.recorded]).toEqual([written.digest, JSON.parse(JSON.stringify(recorded))]);
    const blobs = [...new Set([...own.blobs.keys(), ...edge.blobs.keys()])].map((digest) => digest.replace(':', '/'));
    const paths = (await entriesOf(file)).map(({ path }) => path);
    expect(paths).toEqual([
      ...['lockage.json', 'oci-layout', 'index.json', 'manifest.json'],
      ...blobs.map((path) => `blobs/${path}`).sort(),
      'SHA256SUMS',
    ]);
    expect(written.bytes).toBe((await readFile(file)).length);
    await bundle.close();
  });

  test('gives an engine an image as `docker load` takes it, without the layers that are there', async () => {
    await writeBundle(file, recorded, images, never);
    const bundle = await Bundle.open(file);
    const image = await bundle.image(imageByDigest(recorded.release));
    expect(image?.name).toBe(`registry.example.com/shop:${own.digest.replace(':', '-')}`);
    expect(image?.layers).toEqual(['base', 'the application'].map(digestOf));
    expect(await bundle.image('registry.example.com/edge:2')).toBeUndefined();
    const archive = join(folder, 'image.tar');
    const pathsWithout = async (skipped: number) => {
      const chunks: Buffer[] = [];
      for await (const bytes of image?.read(skipped) ?? []) chunks.push(bytes);
      await writeFile(archive, Buffer.concat(chunks));
      return (await entriesOf(archive)).map(({ path }) => path);
    };
    const [, , base = '', top = ''] = [...own.blobs.keys()].map((digest) => `blobs/${digest.replace(':', '/')}`);
    const [config = ''] = [...own.blobs.keys()].map((digest) => `blobs/${digest.replace(':', '/')}`);
    expect(await pathsWithout(0)).toEqual(['manifest.json', config, base, top]);
    expect(await pathsWithout(1)).toEqual(['manifest.json', config, top]);
    expect([image?.bytes(2), image?.bytes(1)]).toEqual([0, own.blobs.get([...own.blobs.keys()][3] ?? '')?.length]);
    await bundle.close();
  });

  test('that is cut anywhere is refused by its name', async () => {
    await writeBundle(file, recorded, images, never);
    const whole = await readFile(file);
    const cut = join(folder, 'cut.lockage');
    for (let length = 0; length < whole.length - 512; length += 509) {
      await writeFile(cut, whole.subarray(0, length));
      expect(await refusalOf(cut), `cut after ${length}`).toMatch(
        /^\S*cut\.lockage is (no bundle|not as it was written): /,
      );
    }
  });

  test('of which any byte was changed is refused, and the part is named', async () => {
    await writeBundle(file, recorded, images, never);
    const whole = await readFile(file);
    const changed = join(folder, 'changed.lockage');
    for (const { path, at, size } of await entriesOf(file)) {
      for (const place of [at, at + Math.floor(size / 2), at + size - 1]) {
        const bytes = Buffer.from(whole);
        bytes[place] = (bytes[place] ?? 0) ^ 1;
        await writeFile(changed, bytes);
        const message = await refusalOf(changed);
        expect(message, `${path} at ${place}`).toMatch(/changed\.lockage is not as it was written: /);
        if (path !== 'SHA256SUMS') expect(message).toContain(`${path} was changed`);
      }
      const bytes = Buffer.from(whole);
      bytes[at - 512] = (bytes[at - 512] ?? 0) ^ 1;
      await writeFile(changed, bytes);
      expect(await refusalOf(changed), `the header of ${path}`).toMatch(/is (no bundle|not as it was written): /);
    }
  });

  test('is not written without all of its images, and no draft of it stays', async () => {
    await expect(writeBundle(file, recorded, images.slice(0, 1), never)).rejects.toThrow(
      'images of the bundle are missing',
    );
    const [first] = images;
    const broken = { ...first, blob: () => [Buffer.from('something else')] } as ImageToBundle;
    await expect(writeBundle(file, recorded, [broken, ...images.slice(1)], never)).rejects.toThrow(LockageError);
    expect(await readdir(folder)).toEqual([]);
    await expect(writeBundle(join(folder, 'no', 'x'), recorded, images, never)).rejects.toThrow(
      `there is no folder ${join(folder, 'no')}`,
    );
  });

  test('takes away the draft of a run that was killed, and leaves that of one that lives', async () => {
    // No process has this number.
    const dead = `${file}.4194305.0f.draft`;
    const alive = `${file}.${process.ppid}.0f.draft`;
    await Promise.all([dead, alive].map((path) => writeFile(path, 'half')));
    await writeBundle(file, recorded, images, never);
    expect((await readdir(folder)).sort()).toEqual([file, alive].map((path) => path.slice(folder.length + 1)));
  });

  test.each<[string, string | undefined, RegExp]>([
    ['a file that is not there', undefined, /is no bundle: there is no such file/],
    ['a text', 'shop: 1\n'.repeat(200), /is no bundle|it is no archive/],
    ['nothing', '', /it is no archive/],
  ])('is not %s', async (_name, content, message) => {
    if (content !== undefined) await writeFile(file, content);
    expect(await refusalOf(file)).toMatch(message);
  });

  test('of which any JSON is odd, with hashes that fit, is refused or does as well', async () => {
    await writeBundle(file, recorded, images, never);
    const contents = new Map<string, Buffer>();
    const whole = await readFile(file);
    for (const { path, at, size } of await entriesOf(file)) contents.set(path, whole.subarray(at, at + size));
    const odd = join(folder, 'odd.lockage');
    const paths = ['lockage.json', 'index.json', 'manifest.json', blobPath(own.digest), configurationOf(own)];
    for (const path of paths) {
      const before = JSON.parse(contents.get(path)?.toString() ?? '') as unknown;
      await fc.assert(
        fc.asyncProperty(withOddity(before), async (value) => {
          await writeFile(odd, withContent(contents, path, JSON.stringify(value) ?? ''));
          const failure = await readAll(odd).then(
            () => undefined,
            (error: unknown) => error,
          );
          if (failure === undefined) return;
          expect(failure).toBeInstanceOf(LockageError);
          expect((failure as LockageError).message, 'the hashes fit').not.toMatch(/was changed|SHA256SUMS/);
        }),
        { numRuns: 150 },
      );
    }
  });

  test.each([-512, -1536, -(2 ** 53)])('that leads back by a size of %i ends, and is refused', async (size) => {
    const text = `size=${size}`;
    const content = Buffer.from(`${text.length + 4} ${text}\n`);
    const extended = tarHeader('pax', content.length);
    const directory = tarHeader('x', 0);
    for (const [header, kind] of [
      [extended, 'x'],
      [directory, '5'],
    ] as const) {
      header.write(kind, 156);
      header.fill(' ', 148, 156);
      const sum = header.reduce((total, byte) => total + byte, 0);
      header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    }
    await writeFile(file, Buffer.concat([extended, content, tarPadding(content.length), directory, tarEnd]));
    expect(await refusalOf(file)).toMatch(/is damaged/);
  });

  test('is no folder', async () => expect(await refusalOf(folder)).toMatch(/is no bundle: /));
});
