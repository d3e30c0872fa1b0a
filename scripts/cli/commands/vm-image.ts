import { shortDigest } from '../../../pipelines/model/release.ts';
import type { MachineSet } from '../../../pipelines/model/target.ts';
import { compareVersions } from '../../../pipelines/model/version.ts';
import { perform } from '../../../pipelines/operations/perform.ts';
import { durationText } from '../../tools/format.ts';
import { requestOf, waitOf, type Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';
import { imageLines } from '../views/images.ts';

/** Runs `lockage vm-image build`. */
export async function imageBuildCommand(
  given: string | undefined,
  flags: Flags & { kind?: MachineSet['kind'] },
  signal: AbortSignal,
): Promise<void> {
  await runCommand(flags, signal, async (context) => {
    const request = { ...(given === undefined ? {} : { version: given }), ...(flags.kind ? { kind: flags.kind } : {}) };
    const { outcome, version, images } = await perform(context, 'buildMachineImages', request);
    const lines = images.map(
      (image) => `image ${image.version} of ${image.kind} machines (${shortDigest(image.digest)})`,
    );
    const [first] = context.project.environments.filter(({ machines }) => machines);
    const next = first ? [`next: \`lockage vm-image promote ${version} --to ${first.name}\``] : [];
    context.terminal.result({ outcome, images }, [...lines, ...next]);
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
