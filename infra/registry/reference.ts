import { LockageError } from '../../pipelines/errors.ts';
import type { Digest } from '../../pipelines/model/release.ts';

/** The parts of `registry/name:tag@sha256:…`. */
export interface Reference {
  /** `registry.example.com:5000` */
  readonly registry: string;
  /** `team/shop` */
  readonly name: string;
  /** both: `registry.example.com:5000/team/shop` */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

const registryPattern = /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?$/;
const namePattern = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/;
const tagPattern = /^\w[\w.-]{0,127}$/;
const digestPattern = /^sha256:[0-9a-f]{64}$/;

/** The name by which Docker Hub was called once, and still is in many a configuration. */
const formerHub = 'index.docker.io';

/**
 * Reads an image reference. Like Docker, it takes the first part for a registry only if it has a dot or a port, or is
 * `localhost`; without one the image is Docker Hub's. Throws LockageError for what is no reference.
 */
export function parseReference(text: string): Reference {
  const [tagged, digest] = splitAt(text, text.indexOf('@'));
  const lastColon = tagged.lastIndexOf(':');
  const [path, tag] = splitAt(tagged, lastColon > tagged.lastIndexOf('/') ? lastColon : -1);
  const [first, rest] = splitAt(path, path.indexOf('/'));
  const hasRegistry = rest !== undefined && isRegistry(first);
  const registry = hasRegistry && first !== formerHub ? first : 'docker.io';
  const short = hasRegistry ? rest : path;
  const name = registry === 'docker.io' && !short.includes('/') ? `library/${short}` : short;
  const valid =
    registryPattern.test(registry) &&
    namePattern.test(name) &&
    (tag === undefined || tagPattern.test(tag)) &&
    (digest === undefined || isDigest(digest));
  if (!valid) {
    throw new LockageError(`"${text}" is no image reference`, {
      hint: 'Write `registry/name:tag` or `registry/name@sha256:…`, as `registry.example.com:5000/team/shop:1.2.3`.',
    });
  }
  return {
    registry,
    name,
    repository: `${registry}/${name}`,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/**
 * Returns the name by which engines list and filter Docker Hub's images: `team/shop` for `docker.io/team/shop`, and
 * `caddy` without `library`.
 */
export function familiarName(name: string): string {
  return name.replace(/^docker\.io\/(?:library\/(?=[^/]+$))?/, '');
}

/** Returns the name with its registry, for one that an engine lists. */
export function fullName(listed: string): string {
  const [first, rest] = splitAt(listed, listed.indexOf('/'));
  if (rest === undefined) return `docker.io/library/${listed}`;
  return isRegistry(first) ? listed : `docker.io/${listed}`;
}

/**
 * Returns `repository:sha256-0123…` for `repository@sha256:0123…`: an engine knows an image by a digest of a
 * repository only if it was pulled from there, and by a tag in any case.
 */
export function imageByTag({ repository, digest }: { readonly repository: string; readonly digest: string }): string {
  return `${repository}:${digestTag(digest)}`;
}

/** Returns the tag by which an image of a digest is known on a host. */
export function digestTag(digest: string): string {
  return digest.replace(':', '-');
}

/** Returns the digest in a reference, also of one with such a tag. */
export function digestIn(reference: string): Digest | undefined {
  const found = /(?:@sha256:|:sha256-)([0-9a-f]{64})$/.exec(reference)?.[1];
  return found === undefined ? undefined : `sha256:${found}`;
}

/** Returns whether a text is a digest. */
export function isDigest(text: string): text is Digest {
  return digestPattern.test(text);
}

function isRegistry(first: string): boolean {
  // No part of a path has capital letters.
  return /[.:A-Z]/.test(first) || first === 'localhost';
}

function splitAt(text: string, index: number): [string, string | undefined] {
  return index < 0 ? [text, undefined] : [text.slice(0, index), text.slice(index + 1)];
}
