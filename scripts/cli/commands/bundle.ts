import { resolve } from 'node:path';
import { recordedRevision } from '../../../infra/adapters/recorded-revision.ts';
import { findImage, type FoundImage } from '../../../infra/hosts/bundle-images.ts';
import { engineAtHand } from '../../../infra/hosts/engine-at-hand.ts';
import { writeBundle } from '../../../infra/registry/bundle/write-bundle.ts';
import { LockageError } from '../../../pipelines/errors.ts';
import { imagesOf, withImages, type RecordedRevision } from '../../../pipelines/model/recorded-revision.ts';
import { parseRevisionName } from '../../../pipelines/planning/choose-revision.ts';
import { bytesText } from '../../tools/format.ts';
import type { CommandContext } from '../open-context.ts';
import type { Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';

interface BundleFlags extends Flags {
  readonly output?: string;
}

/** Runs `lockage bundle`. */
export async function bundleCommand(text: string, flags: BundleFlags, signal: AbortSignal): Promise<void> {
  const name = parseRevisionName(text);
  if (flags.output === undefined) {
    throw new LockageError('which file?', { hint: `Run \`lockage bundle ${text} -o ${name.environment}.lockage\`.` });
  }
  const file = resolve(flags.output);
  // Without the passphrase of the state, where that is a folder: no value of a secret can be read.
  await runCommand({ ...flags, about: name.environment, keyless: true }, signal, async (context) => {
    const { terminal, records, project } = context;
    terminal.step('read', text);
    const { recorded } = await recordedRevision(records, project, name);
    const found = await imagesFor(context, file, recorded);
    terminal.step('write', flags.output);
    const images = found.map(({ image }) => image);
    const renamed = new Map(imagesOf(recorded).map((image, index) => [image, images[index]?.reference ?? image]));
    const written = await writeBundle(file, withImages(recorded, renamed), images, signal).finally(() =>
      Promise.all(found.map(({ close }) => close())),
    );
    const { app, environment, number, release } = recorded;
    const of = { app, environment, revision: number, version: release.version, digest: release.digest };
    terminal.result({ outcome: 'bundled', file, ...written, of }, [
      `${flags.output} is revision ${number} of ${environment}, ${release.version}: ${written.images.length} images, ${bytesText(written.bytes)}`,
      `its digest, which names all of it, is ${written.digest}`,
    ]);
  });
}

/** Finds all images. Those that no registry gives are taken from the engine at hand, which is said. */
async function imagesFor(
  { registryClient: registry, connections, terminal, signal }: CommandContext,
  file: string,
  recorded: RecordedRevision,
): Promise<FoundImage[]> {
  const { platform } = recorded.release;
  const engine = async () => connections.engine(await engineAtHand(process.env));
  const sources = { registry, engine, file, signal };
  // All are waited for: one that was found has to be closed.
  const results = await Promise.allSettled(imagesOf(recorded).map((name) => findImage(sources, name, platform)));
  const found = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failure = results.find((result) => result.status === 'rejected');
  if (failure) {
    await Promise.all(found.map(({ close }) => close()));
    throw failure.reason;
  }
  for (const { image, from } of found) {
    if (from === 'engine') terminal.note(`${image.reference} is taken from the engine here: no registry gives it`);
  }
  return found;
}
