import { LockageError } from '../errors.ts';
import { didYouMean } from '../text/suggest.ts';
import { shortDigest } from './release.ts';
import type { MachineSet } from './target.ts';
import { bumpVersion, compareVersions, parseVersion } from './version.ts';

/** The versions that an image is made of. */
export interface ImageContents {
  readonly debian: string;
  /** version of its package; absent: it runs on the kernel of its computer */
  readonly kernel?: string;
  /** version of the Docker Engine's package */
  readonly engine: string;
}

/** An image that machines are made from: built once, and promoted unchanged as a release is. */
export interface MachineImage {
  readonly kind: MachineSet['kind'];
  /** semver 2.0.0; the same version of another kind is another image */
  readonly version: string;
  /** `sha256:…` of its root file system */
  readonly digest: string;
  readonly contents?: ImageContents;
  /** who built it: `user@machine` */
  readonly builder: string;
  /** when it was built: ISO 8601 */
  readonly createdAt: string;
}

/** Returns the recorded image of a version. Throws LockageError naming the versions there are. */
export function imageNamed(images: readonly MachineImage[], kind: MachineImage['kind'], version: string): MachineImage {
  const found = images.find((image) => image.kind === kind && image.version === version);
  if (found) return found;
  parseVersion(version);
  const ofKind = images.filter((image) => image.kind === kind);
  const versions = ofKind.map((image) => image.version);
  const recent = ofKind.slice(-5).map((image) => `${image.version} (${shortDigest(image.digest)})`);
  throw new LockageError(`there is no image ${version} of ${kind} machines${didYouMean(version, versions)}`, {
    details: recent.length > 0 ? [`latest images: ${recent.reverse().join(', ')}`] : [],
    hint: `Build it with \`lockage vm-image build ${version}\`.`,
  });
}

/** Returns the version of a digest as people read it, or the digest if it has none. */
export function imageText(images: readonly MachineImage[], kind: MachineImage['kind'], digest: string): string {
  const found = images.findLast((image) => image.kind === kind && image.digest === digest);
  return found ? found.version : shortDigest(digest);
}

/** Returns the newest image of a kind. */
export function newestImage(images: readonly MachineImage[], kind: MachineImage['kind']): MachineImage | undefined {
  const [newest] = images
    .filter((image) => image.kind === kind)
    .toSorted((a, b) => compareVersions(b.version, a.version));
  return newest;
}

/** Returns the version after the newest of a kind: 1.0.0 for the first. */
export function nextImageVersion(images: readonly MachineImage[], kind: MachineImage['kind']): string {
  const newest = newestImage(images, kind);
  return newest ? bumpVersion(newest.version, 'minor') : '1.0.0';
}

/** Throws LockageError when a version exists already: an image never changes. */
export function refuseBuilt(images: readonly MachineImage[], kind: MachineImage['kind'], version: string): void {
  const found = images.find((image) => image.kind === kind && image.version === parseVersion(version));
  if (!found) return;
  throw new LockageError(`there is an image ${version} of ${kind} machines already`, {
    details: [`it is ${shortDigest(found.digest)}, built ${found.createdAt} by ${found.builder}`],
    hint: `An image never changes: build the next version, \`lockage vm-image build ${nextImageVersion(images, kind)}\`.`,
  });
}
