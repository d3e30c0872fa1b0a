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

/**
 * Returns the recorded revision of a text. Throws LockageError when a later version of Lockage wrote it, it is nothing of that kind,
 * or a name in it is none: names become those of files and containers.
 */
export function recordedOf(text: string, from: string): RecordedRevision {
  const { format: found, ...recorded } = parsed(text, from);
  if (found !== format) {
    throw new LockageError(`${from} has format ${String(found)}, and ${format} is known here`, {
      hint: 'Use the version of Lockage that wrote it, or a later one.',
    });
  }
  const wrong = isWhole(recorded) ? wrongName(recorded) : 'a part of its record';
  if (wrong === undefined) return recorded;
  throw new LockageError(`${from} cannot be used: ${wrong} is not as Lockage writes it`, {
    hint: 'Name a file that `lockage bundle` wrote.',
  });
}

function parsed(text: string, from: string): RecordedRevision & { readonly format?: unknown } {
  try {
    return JSON.parse(text) as RecordedRevision & { readonly format?: unknown };
  } catch (cause) {
    throw new LockageError(`${from} cannot be read: its record is no JSON`, { cause });
  }
}

function isWhole({ containers, accessories, hosts, insecureRegistries, ...rest }: Partial<RecordedRevision>): boolean {
  const lists = [containers, accessories, hosts, insecureRegistries].every((list) => Array.isArray(list));
  return lists && Number.isInteger(rest.number) && typeof rest.release === 'object' && typeof rest.edge === 'object';
}

const namePattern = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/;
const variablePattern = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

/** Returns what is named as nothing may be; undefined where nothing is. */
function wrongName(recorded: RecordedRevision): string | undefined {
  const { app, environment, containers, accessories } = recorded;
  const names = [
    ...[app, environment, ...containers.map(({ role }) => role)],
    ...accessories.flatMap((each) => [each.name, ...Object.keys(each.volumes)]),
  ];
  const wrong =
    names.find((each) => !namePattern.test(each)) ?? secretsOf(recorded).find((each) => !variablePattern.test(each));
  return wrong === undefined ? undefined : `the name ${JSON.stringify(wrong)}`;
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
