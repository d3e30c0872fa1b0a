import { LockageError } from '../errors.ts';
import type { ContainerSpec } from './container-spec.ts';
import type { Accessory, EdgeSettings, Migration } from './environment.ts';
import { canonicalJson } from './fingerprint.ts';
import type { Release } from './release.ts';

/**
 * A revision of an environment as it is recorded, with what it stood on: enough to run it again on another computer. No value of
 * a secret is in it, nor what would tell one value from another.
 */
export interface RecordedRevision {
  readonly app: string;
  readonly environment: string;
  readonly number: number;
  readonly release: Release;
  /** without versions of secrets: only their names */
  readonly containers: readonly ContainerSpec[];
  /** with the images by the digests that they were pinned to */
  readonly accessories: readonly Accessory[];
  readonly edge: EdgeSettings & { readonly image: string };
  /** the one that ran last in the environment, and the version of its release */
  readonly migration?: Migration & { readonly version: string };
  /** names of the hosts, and what places the containers on them, if anything does */
  readonly hosts: readonly string[];
  readonly swarm?: string;
  readonly insecureRegistries: readonly string[];
}

/** The format of today. A bundle must stay readable for good. */
const format = 1;

/** Returns a recorded revision as a text; equal ones give equal texts. */
export function textOfRecorded(recorded: RecordedRevision): string {
  return `${canonicalJson({ format, ...recorded })}\n`;
}

/** Returns the recorded revision of a text. Throws LockageError when a later version of Lockage wrote it, or nothing of that kind. */
export function recordedOf(text: string, from: string): RecordedRevision {
  const { format: found, ...recorded } = parsed(text, from);
  if (found === format) return recorded;
  throw new LockageError(`${from} has format ${String(found)}, and ${format} is known here`, {
    hint: 'Use the version of Lockage that wrote it, or a later one.',
  });
}

function parsed(text: string, from: string): RecordedRevision & { readonly format?: unknown } {
  try {
    return JSON.parse(text) as RecordedRevision & { readonly format?: unknown };
  } catch (cause) {
    throw new LockageError(`${from} cannot be read: its record is no JSON`, { cause });
  }
}

/** Returns a container without the versions of its secrets. */
export function withoutVersions(spec: ContainerSpec): ContainerSpec {
  return { ...spec, secrets: Object.fromEntries(Object.keys(spec.secrets).map((name) => [name, ''])) };
}

/** Returns the names of all secrets that a recorded revision needs, sorted. */
export function secretsOf({ containers, accessories, migration }: RecordedRevision): string[] {
  const names = [
    ...containers.flatMap(({ secrets }) => Object.keys(secrets)),
    ...accessories.flatMap(({ secrets }) => secrets),
    ...(migration?.secrets ?? []),
  ];
  return [...new Set(names)].sort();
}

/** Returns the references of all images that a recorded revision needs, each once: that of the release first. */
export function imagesOf({ release, edge, accessories }: RecordedRevision): string[] {
  const own = `${release.repository}@${release.digest}`;
  return [...new Set([own, edge.image, ...accessories.map(({ image }) => image)])];
}
