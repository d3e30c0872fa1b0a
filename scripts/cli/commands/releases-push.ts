import { isEmbedded } from '../../../pipelines/model/embedded.ts';
import { perform } from '../../../pipelines/operations/perform.ts';
import { bytesText } from '../../tools/format.ts';
import type { Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';

export interface ReleasesPushFlags extends Flags {
  readonly to: string;
}

/** Runs `lockage releases push`. */
export async function releasesPushCommand(flags: ReleasesPushFlags, signal: AbortSignal): Promise<void> {
  await runCommand(flags, signal, async (context) => {
    const result = await perform(context, 'pushReleases', { to: flags.to });
    const { releases, bytes, notes, to } = result;
    const [copied, present] = (['copied', 'present'] as const).map((outcome) =>
      releases.filter((each) => each.outcome === outcome),
    );
    const next = isEmbedded(context.project.repository) ? [`next: write \`repository: ${to}\` in lockage.yaml`] : [];
    context.terminal.result(result, [
      `${copied?.length} releases copied to ${to}, ${bytesText(bytes)}; ${present?.length} were there already`,
      ...notes,
      ...next,
    ]);
  });
}
