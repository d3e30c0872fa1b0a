import type { EvidenceKind } from '../../model/evidence/statement.ts';
import type { Release } from '../../model/release.ts';
import type { Signer } from '../../model/signer.ts';

/** What is signed about images, and who signs here. */
export interface EvidencePort {
  /**
   * Returns who signs here; undefined where none of the project's keys is at hand. Throws LockageError where it is not clear
   * which one is meant.
   */
  signer(): Promise<Signer | undefined>;
  /** Has who signs here show that they have the private key, once for each command. Throws LockageError where they cannot. */
  show(): Promise<void>;
  /** Returns what is signed about the image of a release, wherever it is found. Throws LockageError. */
  of(release: Release): Promise<FoundEvidence>;
  /** Lays bundles beside the image of a release, and records them, also where the registry refuses. Throws LockageError. */
  add(release: Release, bundles: readonly NewBundle[], message: string): Promise<AddedEvidence>;
}

/** The bundles that were found, each once. */
export interface FoundEvidence {
  readonly bundles: readonly string[];
  /** why the registry was not asked: those in the record are all */
  readonly problem?: string;
}

/** The bundles that were recorded. */
export interface AddedEvidence {
  /** why they do not lie beside the image */
  readonly problem?: string;
}

/** A bundle that was just signed. */
export interface NewBundle {
  readonly kind: EvidenceKind;
  readonly text: string;
}
