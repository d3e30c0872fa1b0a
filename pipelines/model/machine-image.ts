import type { Environment, MachineSet, Project } from './environment.ts';
import { LockageError } from '../errors.ts';
import { upstream } from './pipeline.ts';
import { currentRevision, type EnvironmentRecord } from './ledger.ts';
import { shortDigest } from './release.ts';
import { didYouMean } from '../text/suggest.ts';
import { bumpVersion, compareVersions, parseVersion } from './version.ts';

/** The versions that an image is made of. */
export interface ImageContents {
  readonly debian: string;
  /** version of its package; absent: it runs on the kernel of its computer */
  readonly kernel?: string;
  /** version of the Docker Engine's package */
  readonly engine: string;
}

/** What machines are made from: built once, and promoted unchanged as a release is. */
export interface MachineImage {
  readonly kind: MachineSet['kind'];
  /** semver 2.0.0; the same version of another kind is another image */
  readonly version: string;
  /** `sha256:…` of its root file system */
  readonly digest: string;
  readonly contents?: ImageContents;
  /** who built it: `user@machine` */
  readonly builder: string;
  /** ISO 8601 */
  readonly createdAt: string;
}

/** The recorded image of a version. Throws LockageError naming the versions there are. */
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

/** The version of a digest as people read it; its digest where it has none. */
export function imageText(images: readonly MachineImage[], kind: MachineImage['kind'], digest: string): string {
  const found = images.findLast((image) => image.kind === kind && image.digest === digest);
  return found ? found.version : shortDigest(digest);
}

/** The newest image of a kind. */
export function newestImage(images: readonly MachineImage[], kind: MachineImage['kind']): MachineImage | undefined {
  const [newest] = images
    .filter((image) => image.kind === kind)
    .toSorted((a, b) => compareVersions(b.version, a.version));
  return newest;
}

/** The version after the newest of a kind: 1.0.0 for the first. */
export function nextImageVersion(images: readonly MachineImage[], kind: MachineImage['kind']): string {
  const newest = newestImage(images, kind);
  return newest ? bumpVersion(newest.version, 'minor') : '1.0.0';
}

/** Throws LockageError when a version is there already: an image never changes. */
export function refuseBuilt(images: readonly MachineImage[], kind: MachineImage['kind'], version: string): void {
  const found = images.find((image) => image.kind === kind && image.version === parseVersion(version));
  if (!found) return;
  throw new LockageError(`there is an image ${version} of ${kind} machines already`, {
    details: [`it is ${shortDigest(found.digest)}, built ${found.createdAt} by ${found.builder}`],
    hint: `An image never changes: build the next version, \`lockage vm-image build ${nextImageVersion(images, kind)}\`.`,
  });
}

/** The environments before this one whose machines are of the same kind: an image has to run in each of them first. */
export function machinesBefore(project: Project, environment: Environment): readonly Environment[] {
  return upstream(project, environment).filter(({ machines }) => machines?.kind === environment.machines?.kind);
}

/**
 * What must hold before an environment's machines may be replaced by those of an image: no hold, and a release ran well
 * on that very image in every environment before that has such machines, or here. Throws LockageError with everything
 * that does not.
 */
export function judgeImage(
  image: MachineImage,
  environment: Environment,
  record: EnvironmentRecord,
  before: readonly { readonly name: string; readonly record: EnvironmentRecord }[],
): void {
  const { name } = environment;
  const { hold, cordons = [] } = record.ledger;
  const reasons: string[] = [];
  const hints: string[] = [];
  if (hold) {
    reasons.push(`${name} is on hold: ${hold.reason}`);
    hints.push(`lockage resume ${name}`);
  }
  for (const { host } of cordons) {
    reasons.push(`${host} is cordoned`);
    hints.push(`lockage host uncordon ${host} --env ${name}`);
  }
  for (const upstreamed of ranOn(record, image) ? [] : before) {
    if (ranOn(upstreamed.record, image)) continue;
    reasons.push(`nothing has run on image ${image.version} in ${upstreamed.name}`);
    hints.push(`lockage vm-image promote ${image.version} --to ${upstreamed.name}`);
  }
  if (reasons.length === 0) return;
  throw new LockageError(`image ${image.version} may not enter ${name}`, {
    details: reasons,
    hint: `Run ${hints.map((hint) => `\`${hint}\``).join(', then ')}.`,
  });
}

/** Whether a release served on machines of that image and was recorded as good. */
export function ranOn({ ledger }: EnvironmentRecord, { digest }: Pick<MachineImage, 'digest'>): boolean {
  return ledger.revisions.some((revision) => revision.result === 'succeeded' && revision.machineImage === digest);
}

/** What runs in an environment. Throws LockageError when nothing does: then there is nothing to prove an image with. */
export function servingOn({ name }: Environment, record: EnvironmentRecord) {
  const current = currentRevision(record.ledger);
  if (current) return current;
  throw new LockageError(`nothing runs in ${name}`, {
    hint: `Bring a release there, which makes its machines: \`lockage promote VERSION --to ${name}\`.`,
  });
}

/** An accessory lives as long as its machine. Throws LockageError where one would go with it. */
export function refuseAccessories({ name, accessories }: Environment): void {
  if (accessories.length === 0) return;
  throw new LockageError(`the machines of ${name} run accessories, which would go with them`, {
    details: accessories.map((accessory) => `${accessory.name} on ${accessory.host}`),
    hint: 'Run them outside of the machines, on hosts that stay, and name their address in `env`.',
  });
}
