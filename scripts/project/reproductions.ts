import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { writeAtomic } from '../../infra/system/atomic-file.ts';
import { LockageError } from '../../pipelines/errors.ts';
import type { Project } from '../../pipelines/model/environment.ts';
import { canonicalJson } from '../../pipelines/model/fingerprint.ts';
import type { Reproduction } from '../../pipelines/model/reproduction.ts';
import { fromRecord, toRecord, type TargetRecord } from '../../pipelines/model/target-record.ts';
import { reproducedEnvironment, secretsFolder } from '../../pipelines/planning/reproduced-environment.ts';
import { findRoot } from './load.ts';
import { stateFolderName } from './state-folder.ts';

/*
 * A reproduction has a folder of its own in that of the state: its record, its secrets, and a state with a passphrase of its own. So
 * neither the state of the original nor its passphrase is needed for it, and nothing done with it can reach them.
 */

/** A reproduction, and its folder. */
export interface FoundReproduction {
  readonly folder: string;
  readonly reproduction: Reproduction;
}

const recordName = 'reproduction.json';

/** The format of today. What was written once must stay readable. */
const format = 1;

interface Written extends Omit<Reproduction, 'host'> {
  readonly format: number;
  readonly host: TargetRecord;
}

/** Returns the folder that the reproductions belong to: of the project around `cwd`, else `cwd` itself. */
export async function reproductionsRoot(cwd: string): Promise<string> {
  return findRoot(cwd).catch((error: unknown) => {
    if (error instanceof LockageError) return cwd;
    throw error;
  });
}

/** Returns the folder of a reproduction, there or not. */
export function reproductionFolder(root: string, name: string): string {
  return join(root, stateFolderName, 'reproductions', name);
}

/** Returns the reproduction of that name; undefined when there is none. Throws LockageError when its record cannot be read. */
export async function findReproduction(cwd: string, name: string): Promise<FoundReproduction | undefined> {
  // Not only names come here, and none may lead to another folder.
  if (!/^[a-z0-9-]+$/.test(name)) return undefined;
  return readReproduction(reproductionFolder(await reproductionsRoot(cwd), name));
}

/**
 * Returns all reproductions of a folder's project, by name. One whose record cannot be read is told, and left out; where nobody
 * is to be told, it throws LockageError.
 */
export async function listReproductions(
  cwd: string,
  tell?: (error: LockageError) => void,
): Promise<FoundReproduction[]> {
  const folder = reproductionFolder(await reproductionsRoot(cwd), '');
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
    throw error;
  });
  const found = await Promise.all(
    names
      .toSorted((a, b) => (a < b ? -1 : 1))
      .map((name) =>
        readReproduction(join(folder, name)).catch((error: unknown) => {
          if (!tell || !(error instanceof LockageError)) throw error;
          tell(error);
          return undefined;
        }),
      ),
  );
  return found.filter((each) => each !== undefined);
}

async function readReproduction(folder: string): Promise<FoundReproduction | undefined> {
  const file = join(folder, recordName);
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw new LockageError(`${file} cannot be read: ${error.code ?? error.message}`);
  });
  if (text === undefined) return undefined;
  const { format: _, host, ...rest } = parsed(file, text);
  const target = fromRecord(host);
  if (target.kind !== 'host') throw damaged(file, 'its host is none');
  return { folder, reproduction: { ...rest, host: target } };
}

function parsed(file: string, text: string): Written {
  const written = jsonOf(file, text);
  const { format: found, of, host } = Object(written) as Partial<Written>;
  if (found !== undefined && found !== format) {
    throw new LockageError(`${file} has format ${found}, and ${format} is known here`, {
      hint: 'Use the version of Lockage that wrote it, or a later one.',
    });
  }
  if (typeof Object(of).release?.version !== 'string') throw damaged(file, 'it names no release');
  if (typeof Object(host).url !== 'string') throw damaged(file, 'it names no host');
  return written as Written;
}

function jsonOf(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw damaged(file, 'it is no JSON');
  }
}

function damaged(file: string, why: string): LockageError {
  return new LockageError(`${file} is damaged: ${why}`, {
    hint: 'Make it again: `lockage reproduce`, or `lockage env up`.',
  });
}

/** Writes the record of a reproduction, in place of the one before. */
export async function writeReproduction({ folder, reproduction }: FoundReproduction): Promise<void> {
  const { host, ...rest } = reproduction;
  const written: Written = { format, ...rest, host: toRecord(host) };
  await writeAtomic(join(folder, recordName), `${canonicalJson(written)}\n`);
}

/** Removes a reproduction's folder, with its secrets and its state. */
export async function removeReproduction(folder: string): Promise<void> {
  // First of all it is no reproduction any more, whatever else can be removed.
  await rm(join(folder, recordName), { force: true });
  await rm(folder, { recursive: true, force: true });
}

/** Returns the file of a secret's value. */
export function secretFile(folder: string, name: string): string {
  return join(folder, secretsFolder, name);
}

/** Writes the value of a secret, for the owner alone. */
export async function writeSecret(folder: string, name: string, value: string): Promise<void> {
  await writeAtomic(secretFile(folder, name), `${value}\n`);
}

/** Returns the values of those of these secrets that have one. */
export async function readSecrets(folder: string, names: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const found = names.map(async (name) => {
    const text = await readFile(secretFile(folder, name), 'utf8').catch(() => undefined);
    return text === undefined ? [] : [[name, text.replace(/\r?\n$/, '')] as const];
  });
  return new Map((await Promise.all(found)).flat());
}

/** Returns a project without environments for a folder that has reproductions and no lockage.yaml; else undefined. */
export async function projectWithout(cwd: string): Promise<Project | undefined> {
  const isConfigured = await findRoot(cwd).then(
    () => true,
    () => false,
  );
  const [first] = isConfigured ? [] : await listReproductions(cwd);
  if (!first) return undefined;
  const backend = pathToFileURL(join(cwd, stateFolderName, 'state')).href;
  return { ...projectOf(first), root: cwd, backend, environments: [] };
}

/** Returns a reproduction as a project with one environment. Nothing of the configuration that people write is in it. */
export function projectOf({ folder, reproduction }: FoundReproduction): Project {
  const { app, release, insecureRegistries, edge } = reproduction.of;
  return {
    app,
    root: folder,
    backend: pathToFileURL(join(folder, 'state')).href,
    repository: release.repository,
    build: { context: '.', dockerfile: 'Dockerfile', args: {} },
    insecureRegistries,
    edgeImage: edge.image,
    environments: [reproducedEnvironment(reproduction)],
  };
}
