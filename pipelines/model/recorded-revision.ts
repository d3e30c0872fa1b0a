import type { ContainerSpec } from './container-spec.ts';
import { canonicalJson } from './fingerprint.ts';
import type { Release } from './release.ts';
import type { StoodOn } from './revision.ts';

/**
 * A revision of an environment as it is recorded, with what it stood on: enough to run it again on another computer. No value of
 * a secret is in it, nor what would tell one value from another.
 */
export interface RecordedRevision extends StoodOn {
  readonly app: string;
  readonly environment: string;
  readonly number: number;
  readonly release: Release;
  /** without versions of secrets: only their names */
  readonly containers: readonly ContainerSpec[];
  /** names of the hosts, and what places the containers on them, if anything does */
  readonly hosts: readonly string[];
  readonly swarm?: string;
  readonly insecureRegistries: readonly string[];
  /** it was recorded without what it stood on: accessories, edge and migration are those of a later time */
  readonly standsOnLater?: true;
}

/** The format of today. A bundle must stay readable for good. */
export const recordedFormat = 1;

/** Returns a recorded revision as a text; equal ones give equal texts. */
export function textOfRecorded(recorded: RecordedRevision): string {
  return `${canonicalJson({ format: recordedFormat, ...recorded })}\n`;
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

/** Returns a recorded revision whose accessories and edge have other references for the same images. */
export function withImages(recorded: RecordedRevision, renamed: ReadonlyMap<string, string>): RecordedRevision {
  const { edge, accessories } = recorded;
  const nameOf = (image: string) => renamed.get(image) ?? image;
  return {
    ...recorded,
    edge: { ...edge, image: nameOf(edge.image) },
    accessories: accessories.map((each) => ({ ...each, image: nameOf(each.image) })),
  };
}

/** Returns the references of all images that a recorded revision needs, each once: that of the release first. */
export function imagesOf({ release, edge, accessories }: RecordedRevision): string[] {
  const own = `${release.repository}@${release.digest}`;
  return [...new Set([own, edge.image, ...accessories.map(({ image }) => image)])];
}
