import type { Digest, Release } from './release.ts';

/**
 * A stop that a person sets on a release: it enters no environment, and none goes back to it. It counts for the image, under
 * whatever version that is released.
 */
export interface Block {
  readonly version: string;
  readonly digest: Digest;
  /** ISO 8601 */
  readonly since: string;
  /** `user@machine` */
  readonly actor: string;
  readonly reason: string;
}

/** Everything that is recorded of releases. */
export interface ReleaseList {
  readonly releases: readonly Release[];
  readonly blocks: readonly Block[];
}

/** Returns what blocks a release. */
export function blockOf(blocks: readonly Block[], { digest }: Pick<Release, 'digest'>): Block | undefined {
  return blocks.find((block) => block.digest === digest);
}

/** Returns the blocks with one more; the very same list where the image is blocked already. */
export function withBlock(blocks: readonly Block[], added: Block): readonly Block[] {
  return blockOf(blocks, added) ? blocks : [...blocks, added];
}

/** Returns the blocks without that of an image; the very same list where there is none. */
export function withoutBlock(blocks: readonly Block[], release: Pick<Release, 'digest'>): readonly Block[] {
  return blockOf(blocks, release) ? blocks.filter(({ digest }) => digest !== release.digest) : blocks;
}
