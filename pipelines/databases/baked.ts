import { createHash } from 'node:crypto';
import type { Seed } from '../model/environment.ts';
import { canonicalJson } from '../model/fingerprint.ts';
import { dataFolder } from './fork-scripts.ts';
import type { DatabaseKind } from './kinds.ts';

/** The labels of a baked image, by which it is found and run. */
export const bakedLabels = {
  fingerprint: 'lockage.db.fingerprint',
  kind: 'lockage.db.kind',
  data: 'lockage.db.data',
  /** `uid:gid` of the data: forks run as it */
  user: 'lockage.db.user',
  /** KiB of the data; absent where a fork of it cannot be made pristine again */
  size: 'lockage.db.size',
} as const;

/** Raised where the same inputs give another image than before. */
const recipe = 5;

/** Everything that a baked image follows from. It is made again only when one of these changes. */
export interface BakeInputs {
  readonly kind: DatabaseKind;
  /** of the accessory, by digest */
  readonly image: string;
  /** of the image that is baked, as `linux/amd64`: one digest may stand for several */
  readonly platform: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** names; their values stand in for those of environments, and are not part of it */
  readonly secrets: readonly string[];
  /** absent: none runs */
  readonly migration?: ReleaseCommand;
  /** absent: the data is as the migration leaves it */
  readonly seed?: { readonly sha256: string } | ReleaseCommand;
}

/** A command that runs in a release's image. */
export interface ReleaseCommand {
  /** by digest */
  readonly image: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
}

/** Returns 32 hex digits that name a baked image, the same on every computer of a platform. */
export function bakeFingerprint(inputs: BakeInputs): string {
  const content = canonicalJson({ recipe, dataFolder, ...inputs });
  return createHash('sha256').update(content).digest('hex').slice(0, 32);
}

/** Returns the tag of a baked image in the repository of the releases; no version is written like that. */
export function bakeTag(accessory: string, fingerprint: string): string {
  return `db-${accessory}-${fingerprint}`;
}

/** Returns what a baked image was made of, in words. */
export function bakedOf(version: string | undefined, seed: Seed | undefined): string {
  const parts = [
    ...(version === undefined ? [] : [`the migration of ${version}`]),
    ...(seed === undefined
      ? []
      : ['file' in seed ? `the seed ${seed.file}` : `the seed \`${seed.command.join(' ')}\``]),
  ];
  return parts.length === 0 ? 'nothing: no migration, no seed' : parts.join(' and ');
}
