import { resolve } from 'node:path';
import { LockageError } from '../../../pipelines/errors.ts';
import { parseRevisionName } from '../../../pipelines/planning/choose-revision.ts';
import { bytesText } from '../../tools/format.ts';
import type { Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';

interface BundleFlags extends Flags {
  readonly output?: string;
}

/** Runs `lockage bundle`. */
export async function bundleCommand(text: string, flags: BundleFlags, signal: AbortSignal): Promise<void> {
  const name = parseRevisionName(text);
  const { output } = flags;
  if (output === undefined) {
    throw new LockageError('which file?', { hint: `Run \`lockage bundle ${text} -o ${name.environment}.lockage\`.` });
  }
  const file = resolve(output);
  // Without the passphrase of the state, where that is a folder: no value of a secret can be read.
  await runCommand({ ...flags, about: name.environment, keyless: true }, signal, async ({ bundles, terminal }) => {
    terminal.step('write', output);
    const { recorded, written } = await bundles.writeRevision(name, file);
    const { app, environment, number, release } = recorded;
    const of = { app, environment, revision: number, version: release.version, digest: release.digest };
    terminal.result({ outcome: 'bundled', file, ...written, of }, [
      `${output} is revision ${number} of ${environment}, ${release.version}: ${written.images.length} images, ${bytesText(written.bytes)}`,
      `its digest, which names all of it, is ${written.digest}`,
    ]);
  });
}
