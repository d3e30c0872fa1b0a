/** The versions that an image is made of, for people who choose one. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ImageContents } from '../../../pipelines/model/machine-image.ts';
import { runProgram } from '../../system/run-program.ts';

/** Writes the contents of a root file system's archive to its image's folder. */
export async function recordContents(folder: string, archive: string): Promise<ImageContents> {
  const [debian = '', packages = ''] = await Promise.all(
    ['./etc/debian_version', './var/lib/dpkg/status'].map((file) => runProgram(['tar', '-xOf', archive, file])),
  );
  const contents = contentsFrom(debian, packages);
  await writeFile(fileIn(folder), `${JSON.stringify(contents)}\n`);
  return contents;
}

/** Returns the contents of an image; undefined where an earlier Lockage made it, which recorded none. */
export async function readContents(folder: string): Promise<ImageContents | undefined> {
  const text = await readFile(fileIn(folder), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as ImageContents);
}

/** Reads the contents from Debian's version file and dpkg's list of packages. */
export function contentsFrom(debian: string, packages: string): ImageContents {
  const versions = new Map(
    packages.split('\n\n').map((paragraph) => [field(paragraph, 'Package'), field(paragraph, 'Version')]),
  );
  const kernel = [...versions].find(([name]) => /^linux-image-\d/.test(name))?.[1];
  return {
    debian: debian.trim(),
    ...(kernel === undefined ? {} : { kernel }),
    engine: versions.get('docker.io') ?? 'unknown',
  };
}

/** Returns the contents for people: `Debian 12.15, Linux 6.1.192-2, Docker Engine 20.10.24` */
export function shownContents({ debian, kernel, engine }: ImageContents): string {
  const parts = [`Debian ${debian}`, ...(kernel === undefined ? [] : [`Linux ${kernel}`])];
  return [...parts, `Docker Engine ${engine.replace(/[+~-].*$/, '')}`].join(', ');
}

function field(paragraph: string, name: string): string {
  return new RegExp(`^${name}: (.*)$`, 'm').exec(paragraph)?.[1] ?? '';
}

function fileIn(folder: string): string {
  return path.join(folder, 'contents.json');
}
