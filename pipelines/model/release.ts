/** A content address as OCI writes it: `sha256:` and 64 hex digits. */
export type Digest = `sha256:${string}`;

/** A release: a semver version and the image digest built for it. Made once, never changed. */
export interface Release {
  /** semver 2.0.0, without a leading `v` */
  readonly version: string;
  /** repository without tag or digest: `registry.example.com/shop` */
  readonly repository: string;
  /** digest of the manifest that hosts pull */
  readonly digest: Digest;
  /** `linux/amd64`; of several the first */
  readonly platform: string;
  /** of several: platform → digest of the image that hosts of it run. Absent: `platform` alone */
  readonly platforms?: Readonly<Record<string, Digest>>;
  /** the git commit it was built from; absent for an adopted image, and for files of which nothing was ever committed */
  readonly commit?: string;
  /** who built it: `user@machine` */
  readonly builder: string;
  /** ISO 8601 */
  readonly createdAt: string;
  /** counts releases of an application, from 1; absent in one that was made before any was signed */
  readonly sequence?: number;
  /** the image's own user; empty for root */
  readonly user?: string;
  /** paths that the image declares as volumes; absent: none, or it was made before they were recorded */
  readonly volumes?: readonly string[];
  /** the image does not say what to run */
  readonly startless?: true;
  /** built from files that are in no commit: the user said so, or there is none */
  readonly dirty?: boolean;
  /** the schema that its migration brings data to; absent: it declares none, which counts as 0 */
  readonly schema?: number;
  /** the oldest schema whose code still runs with its own; absent: only its own */
  readonly compatible?: number;
  /** built elsewhere and taken over by its digest */
  readonly adopted?: boolean;
}

/** Returns `repository@sha256:…`, the only form in which images are pulled and run. */
export function imageByDigest(release: Pick<Release, 'repository' | 'digest'>): string {
  return `${release.repository}@${release.digest}`;
}

/** Returns the platforms that a release has images for. */
export function platformsOf({ platform, platforms }: Pick<Release, 'platform' | 'platforms'>): string[] {
  return platforms ? Object.keys(platforms) : [platform];
}

/** Returns whether a user of an image is root, in any of the ways in which Docker reads a number; absent ones are, too. */
export function isRoot(user: string): boolean {
  return /^(root|[+-]?0+)?(:.*)?$/.test(user);
}

/** Shortens a digest as people read it: `sha256:0123456789ab…` → `0123456789ab` */
export function shortDigest(digest: string): string {
  return digest.replace(/^sha256:/, '').slice(0, 12);
}
