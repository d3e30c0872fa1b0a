import { LockageError } from '../errors.ts';
import type { Project } from '../model/environment.ts';
import { nextImageVersion, refuseBuilt, type MachineImage } from '../model/machine-image.ts';
import type { MachineSet } from '../model/target.ts';
import { compareVersions, parseVersion } from '../model/version.ts';
import type { Context } from './ports.ts';

type Kind = MachineSet['kind'];

/** The images to build. */
export interface BuildMachineImagesRequest {
  /** semver 2.0.0; absent: the next one */
  readonly version?: string;
  /** absent: each kind that an environment has */
  readonly kind?: Kind;
}

/** The images that were built, all of one version. */
export interface BuildMachineImagesResult {
  readonly outcome: 'built';
  readonly version: string;
  readonly images: readonly MachineImage[];
}

/** Builds images of today's packages for machines that environments make, and records them. Throws LockageError. */
export async function buildMachineImages(
  context: Context,
  request: BuildMachineImagesRequest,
): Promise<BuildMachineImagesResult> {
  const kinds = request.kind ? [request.kind] : kindsOf(context.project);
  const known = await context.records.machineImages();
  const version = request.version === undefined ? nextOf(known, kinds) : parseVersion(request.version);
  for (const kind of kinds) refuseBuilt(known, kind, version);
  context.terminal.step('build', `image ${version} of ${kinds.join(' and ')} machines, which takes a minute or two`);
  const images: MachineImage[] = [];
  for (const kind of kinds) images.push(await context.machines.build(version, kind));
  return { outcome: 'built', version, images };
}

/** Returns the kinds of machines that the project's environments have. Throws LockageError when they have none. */
function kindsOf({ environments }: Project): Kind[] {
  const kinds = environments.flatMap(({ machines }) => (machines ? [machines.kind] : []));
  if (kinds.length > 0) return [...new Set(kinds)];
  throw new LockageError('no environment makes machines of its own', {
    hint: 'Give one `targets: { kind: vm }` or `lxc` in environments/NAME.yaml, or say --kind.',
  });
}

/** Returns the next version, the same for all of the kinds. */
function nextOf(images: readonly MachineImage[], kinds: readonly Kind[]): string {
  const next = kinds.map((kind) => nextImageVersion(images, kind)).toSorted(compareVersions);
  return next.at(-1) ?? '1.0.0';
}
