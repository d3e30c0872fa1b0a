import type { FoundPackages } from '../../model/evidence/bill-of-materials.ts';
import type { Release } from '../../model/release.ts';

/** An image in a registry, as far as a release records it. */
export type ReleasedImage = Pick<
  Release,
  'repository' | 'digest' | 'platform' | 'platforms' | 'user' | 'volumes' | 'startless'
>;

/** The source tree that a release is built from. */
export interface SourceTree {
  /** absent: nothing was ever committed, or there is no repository */
  readonly commit?: string;
  /** files that differ from the commit */
  readonly changes: readonly string[];
}

/** The builder of the project's images. */
export interface Builder {
  tree(): Promise<SourceTree>;
  /** Builds the image of a version, labelled with what it is made of. Throws LockageError. */
  build(version: string, source: BuildSource, labels: Readonly<Record<string, string>>): Promise<void>;
  /**
   * Pushes the image that was built for a version. Throws LockageError, and BrokenError when the registry answers with
   * another one afterwards.
   */
  push(version: string): Promise<ReleasedImage>;
  /** Leads the tag of a version to its release again, after another image was pushed to it. Throws LockageError. */
  restoreTag(release: Pick<Release, 'repository' | 'version' | 'digest'>): Promise<void>;
  /** Returns the packages that are installed in the image of a release; undefined where it is not here. Throws LockageError. */
  packages(release: Release): Promise<FoundPackages | undefined>;
}

/** The source of an image: a commit, or the files of the folder as they are now, without those that git ignores. */
export type BuildSource = { readonly commit: string } | 'folder';
