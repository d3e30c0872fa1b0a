import { LockageError } from '../../../pipelines/errors.ts';
import { nextImageVersion, refuseBuilt, type MachineImage } from '../../../pipelines/model/machine-image.ts';
import { shortDigest } from '../../../pipelines/model/release.ts';
import type { MachineSet } from '../../../pipelines/model/target.ts';
import { compareVersions, parseVersion } from '../../../pipelines/model/version.ts';
import { perform } from '../../../pipelines/operations/perform.ts';
import { durationText } from '../../tools/format.ts';
import type { CommandContext } from '../open-context.ts';
import { requestOf, waitOf, type Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';
import { imageLines } from '../views/images.ts';

type Kind = MachineSet['kind'];

/** Runs `lockage vm-image build`. */
export async function imageBuildCommand(
  given: string | undefined,
  flags: Flags & { kind?: Kind },
  signal: AbortSignal,
): Promise<void> {
  await runCommand(flags, signal, async (context) => {
    const kinds = flags.kind ? [flags.kind] : kindsOf(context);
    const images = await context.records.machineImages();
    const version = given === undefined ? nextOf(images, kinds) : parseVersion(given);
    for (const kind of kinds) refuseBuilt(images, kind, version);
    context.terminal.step('build', `image ${version} of ${kinds.join(' and ')} machines, which takes a minute or two`);
    const built = await context.machines.build(version, kinds);
    const lines = built.map(
      (image) => `image ${image.version} of ${image.kind} machines (${shortDigest(image.digest)})`,
    );
    const [first] = context.project.environments.filter(({ machines }) => machines);
    const next = first ? [`next: \`lockage vm-image promote ${version} --to ${first.name}\``] : [];
    context.terminal.result({ outcome: 'built', images: built }, [...lines, ...next]);
  });
}

/** Runs `lockage vm-image promote`. */
export async function imagePromoteCommand(
  version: string,
  flags: Flags & { to: string },
  signal: AbortSignal,
): Promise<void> {
  await runCommand(flags, signal, async (context) => {
    const request = { version, environment: flags.to, ...requestOf(flags) };
    const result = await perform(context, 'replaceMachines', request, waitOf(flags));
    if (result.outcome !== 'promoted') return context.terminal.result(result, []);
    const { image, revision } = result;
    context.terminal.result(result, [
      `${flags.to} runs ${revision.release.version} on machines of image ${image.version} (${shortDigest(image.digest)}), ` +
        `revision ${revision.number}: ${durationText(revision.duration)}`,
    ]);
  });
}

/** Runs `lockage vm-image ls`. */
export async function imageListCommand(flags: Flags, signal: AbortSignal): Promise<void> {
  await runCommand(flags, signal, async (context) => {
    const images = await context.records.machineImages();
    const uses = context.project.environments.flatMap(({ name, machines }) =>
      machines?.image ? [{ environment: name, kind: machines.kind, digest: machines.image }] : [],
    );
    const listed = images
      .toSorted((a, b) => a.kind.localeCompare(b.kind) || compareVersions(b.version, a.version))
      .map((image) => ({
        ...image,
        environments: uses.filter(({ digest }) => digest === image.digest).map(({ environment }) => environment),
      }));
    context.terminal.result({ images: listed }, imageLines(listed, context.now()));
  });
}

/** Returns the kinds of machines that the project's environments have. Throws LockageError when they have none. */
function kindsOf({ project }: CommandContext): Kind[] {
  const kinds = project.environments.flatMap(({ machines }) => (machines ? [machines.kind] : []));
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
