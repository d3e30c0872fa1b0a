import { isDigest } from '../../infra/registry/reference.ts';
import type { Digest } from '../../pipelines/model/release.ts';

/** Returns the digest that `docker push` says it pushed under a tag; undefined where it says none. */
export function pushedDigest(output: string, tag: string): Digest | undefined {
  const lines = output.split(/\r?\n/).filter((line) => line.startsWith(`${tag}: digest: `));
  return onlyDigest(lines.map((line) => line.slice(`${tag}: digest: `.length).split(' ')[0] ?? ''));
}

/**
 * Returns the digest of a repository's image in the list that `docker` prints of it, as JSON; undefined unless there is one
 * alone. An engine that has none prints null, and what stands in for `docker` may print anything.
 */
export function digestOfRepository(printed: string, repository: string): Digest | undefined {
  const names = listIn(printed).filter((name) => typeof name === 'string');
  const own = names.filter((name) => name.startsWith(`${repository}@`));
  return onlyDigest(own.map((name) => name.slice(repository.length + 1)));
}

function listIn(printed: string): unknown[] {
  try {
    const found: unknown = JSON.parse(printed);
    return Array.isArray(found) ? found : [];
  } catch {
    return [];
  }
}

function onlyDigest(found: readonly string[]): Digest | undefined {
  const [digest, another] = [...new Set(found)];
  return digest !== undefined && another === undefined && isDigest(digest) ? digest : undefined;
}
