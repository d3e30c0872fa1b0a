import { isDigest } from '../../infra/registry/reference.ts';
import type { Digest } from '../../pipelines/model/release.ts';

/** Returns the digest that `docker push` says it pushed under a tag; undefined where it says none. */
export function pushedDigest(output: string, tag: string): Digest | undefined {
  const lines = output.split(/\r?\n/).filter((line) => line.startsWith(`${tag}: digest: `));
  return onlyDigest(lines.map((line) => line.slice(`${tag}: digest: `.length).split(' ')[0] ?? ''));
}

/** Returns the digest of a repository's image in the list that an engine has of it; undefined unless there is one alone. */
export function digestOfRepository(repoDigests: readonly string[], repository: string): Digest | undefined {
  const own = repoDigests.filter((name) => name.startsWith(`${repository}@`));
  return onlyDigest(own.map((name) => name.slice(repository.length + 1)));
}

function onlyDigest(found: readonly string[]): Digest | undefined {
  const [digest, another] = [...new Set(found)];
  return digest !== undefined && another === undefined && isDigest(digest) ? digest : undefined;
}
