/*
 * The list of what refers to an image, as a registry with the API for it has it: `GET /v2/NAME/referrers/DIGEST` of OCI
 * distribution 1.1, page by page, filtered by the registry where it can.
 */
import { LockageError } from '../../pipelines/errors.ts';
import type { Digest } from '../../pipelines/model/release.ts';
import type { HttpAnswer } from './http.ts';
import { isDigest, parseReference } from './reference.ts';
import type { RegistryHttp } from './requests.ts';

export const manifestType = 'application/vnd.oci.image.manifest.v1+json';
export const indexType = 'application/vnd.oci.image.index.v1+json';
export const emptyType = 'application/vnd.oci.empty.v1+json';
/** The header of requests for manifests and lists. */
export const acceptLists = { Accept: `${indexType}, ${manifestType}` };

/** The most pages of one list, each of up to 4 MiB: a list without an end ends. */
const mostPages = 200;
/** bytes of all its pages: nothing has as many signatures and bills */
const mostBytes = 32 * 2 ** 20;

/** What a list says of one thing in it. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/**
 * Returns what the registry lists itself, of a type; undefined where it has no such list. `place`: the repository. Throws
 * LockageError, also for a list that leads elsewhere or does not end.
 */
export async function listedReferrers(
  http: RegistryHttp,
  place: string,
  { digest, artifactType }: { readonly digest: Digest; readonly artifactType: string },
): Promise<Descriptor[] | undefined> {
  // The specification says 404; some say otherwise that they know no such thing.
  const absent = [400, 404, 405, 501];
  const reference = parseReference(place);
  const base = `referrers/${digest}`;
  const found: Descriptor[] = [];
  let bytes = 0;
  let path: string | undefined = `${base}?artifactType=${encodeURIComponent(artifactType)}`;
  for (let page = 1; path !== undefined; page += 1) {
    if (page > mostPages)
      throw new LockageError(`${place} lists more than ${mostPages} pages of what refers to an image`);
    const accept = page === 1 ? absent : [];
    const answer: HttpAnswer = await http.request(reference, { method: 'GET', path, headers: acceptLists, accept });
    if (accept.includes(answer.status)) return undefined;
    bytes += answer.body.length;
    if (bytes > mostBytes)
      throw new LockageError(`${place} lists more than ${mostBytes / 2 ** 20} MiB of what refers to an image`);
    const listed = descriptorsIn(place, answer.body);
    found.push(...(isFiltered(answer) ? listed : listed.filter((each) => isOfType(each, artifactType))));
    path = nextPath(place, answer, { name: reference.name, base });
  }
  return found;
}

/** Returns the descriptors in an index. Throws LockageError where it is none. */
export function descriptorsIn(place: string, bytes: Buffer): Descriptor[] {
  const manifests = parsed(bytes)?.manifests;
  // Registries written in Go may say so of an empty list.
  if (manifests === null) return [];
  if (!Array.isArray(manifests)) {
    throw new LockageError(`${place} lists what refers to an image in no form that is known`);
  }
  const isDescriptor = (each: unknown): each is Descriptor =>
    typeof each === 'object' &&
    each !== null &&
    'digest' in each &&
    typeof each.digest === 'string' &&
    isDigest(each.digest);
  return manifests.filter(isDescriptor);
}

/**
 * Returns whether something may be of a type by what a list says of it. Some registries say nothing, and some the type of
 * its configuration, which is empty: the manifest itself tells then.
 */
export function isOfType({ artifactType }: Descriptor, wanted: string): boolean {
  return artifactType === undefined || artifactType === wanted || artifactType === emptyType;
}

/** The parts of a manifest or an index that are read; nothing of them is checked yet. */
export interface ReadManifest {
  readonly subject?: { readonly digest?: unknown };
  readonly layers?: unknown;
  readonly manifests?: unknown;
}

/** Returns a manifest or an index; undefined for what is no JSON object. */
export function parsed(bytes: Buffer): ReadManifest | undefined {
  try {
    const read: unknown = JSON.parse(bytes.toString('utf8'));
    return typeof read === 'object' && read !== null ? read : undefined;
  } catch {
    return undefined;
  }
}

function isFiltered({ header }: HttpAnswer): boolean {
  const applied = header('oci-filters-applied') ?? '';
  return applied.split(',').some((each) => each.trim() === 'artifactType');
}

/**
 * Returns where the next page is, after `/v2/NAME/`; undefined after the last one. Only its path counts: a registry behind a
 * proxy may not know its own address, and the login goes nowhere else.
 */
function nextPath(
  place: string,
  { header, at }: HttpAnswer,
  { name, base }: { readonly name: string; readonly base: string },
): string | undefined {
  const link = (header('link') ?? '').split(/,\s*(?=<)/).find((each) => /;\s*rel="?next"?\s*(?:;|$)/i.test(each));
  const target = /^\s*<([^>]*)>/.exec(link ?? '')?.[1];
  if (target === undefined) return undefined;
  const { pathname, search } = URL.canParse(target, at.href) ? new URL(target, at) : { pathname: '', search: '' };
  // Behind such a proxy the registry may have a prefix, which it may tell or not.
  if (decoded(pathname).endsWith(`/v2/${name}/${base}`)) return `${base}${search}`;
  throw new LockageError(`${place} says that a list of what refers to an image goes on elsewhere`, {
    details: [`Link: ${(header('link') ?? '').slice(0, 200)}`],
  });
}

/** Returns a path without escapes; an empty one where they are malformed. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return '';
  }
}
