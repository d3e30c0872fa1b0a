import type { Digest, Release } from '../../model/release.ts';
import type { ReleasedImage } from './builder.ts';

/** The registries that images lie in. */
export interface Registry {
  /**
   * Checks that the registry still has the release as it was made. Throws LockageError when it does not answer, the
   * version's tag points elsewhere, or the digest is gone.
   */
  verify(release: Release): Promise<void>;
  /** Returns the image that a reference names, as `registry.example.com/shop:build-812`. Throws LockageError. */
  image(reference: string): Promise<ReleasedImage>;
  /**
   * Returns the digest that a version's tag points to; undefined where there is no such tag. `mayBeNew`: nothing was released
   * there yet, so that there may be no such repository. Throws LockageError.
   */
  tagged(repository: string, version: string, mayBeNew: boolean): Promise<Digest | undefined>;
  /** Returns the labels of an image; of several platforms those that all have alike. Throws LockageError. */
  labels(image: Pick<Release, 'repository' | 'digest'>): Promise<Readonly<Record<string, string>>>;
  /**
   * Copies the image of a release from this computer's embedded registry, with all that it is made of, to a repository, under
   * its version. What is there already is not sent again. Throws LockageError, also when the digest there is another one
   * afterwards.
   */
  copy(release: Release, repository: string): Promise<CopiedImage>;
}

/** The outcome of copying an image. `absent`: it is in none of the two registries. */
export interface CopiedImage {
  readonly outcome: 'copied' | 'present' | 'absent';
  /** bytes that were sent */
  readonly bytes: number;
}
