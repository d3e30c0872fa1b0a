import { firstEnvironment } from '../../../pipelines/model/pipeline.ts';
import { platformsOf, shortDigest } from '../../../pipelines/model/release.ts';
import type { Bump } from '../../../pipelines/model/version.ts';
import { perform } from '../../../pipelines/operations/perform.ts';
import { numberOf, type Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';

export interface ReleaseFlags extends Flags {
  readonly bump?: Bump;
  readonly image?: string;
  readonly allowDirty?: boolean;
  readonly schema?: string;
  readonly compatible?: string;
}

/** Runs `lockage release`. */
export async function releaseCommand(
  given: string | undefined,
  flags: ReleaseFlags,
  signal: AbortSignal,
): Promise<void> {
  await runCommand(flags, signal, async (context) => {
    const { bump, image, allowDirty } = flags;
    const request = {
      ...(given === undefined ? {} : { version: given }),
      ...(bump ? { bump } : {}),
      ...(image ? { image } : {}),
      ...(allowDirty ? { allowDirty } : {}),
      ...(flags.schema === undefined ? {} : { schema: numberOf(flags.schema, '--schema') }),
      ...(flags.compatible === undefined ? {} : { compatible: numberOf(flags.compatible, '--compatible') }),
    };
    const result = await perform(context, 'release', request);
    const { release, outcome } = result;
    const made = outcome === 'released';
    const from = release.commit ? ` of commit ${release.commit.slice(0, 7)}` : release.adopted ? '' : ' of no commit';
    const first = firstEnvironment(context.project)?.name ?? '';
    context.terminal.result(result, [
      `${release.version} ${made ? 'released' : 'exists already, made of the same'}: ${shortDigest(release.digest)}${from}, ${platformsOf(release).join(', ')}`,
      ...(made ? [`next: \`lockage promote ${release.version} --to ${first}\``] : []),
    ]);
  });
}
