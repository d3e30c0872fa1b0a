import { perform } from '../../../pipelines/operations/perform.ts';
import { shortDigest } from '../../../pipelines/model/release.ts';
import { whenText } from '../../../pipelines/text/moment.ts';
import type { Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';

/** The flags of `lockage approve` and `reject`. */
export interface ApproveFlags extends Flags {
  readonly to: string;
  readonly decision: 'approved' | 'rejected';
  readonly older?: boolean;
}

/** Runs `lockage approve` or `lockage reject`. */
export async function approveCommand(version: string, flags: ApproveFlags, signal: AbortSignal): Promise<void> {
  await runCommand(flags, signal, async (context) => {
    const { to: environment, decision, reason, older } = flags;
    const request = { version, environment, decision, ...(reason ? { reason } : {}), ...(older ? { older } : {}) };
    const result = await perform(context, 'approve', request);
    const what = `${version} (${shortDigest(result.digest)})`;
    const until = `until ${whenText(result.expires)}`;
    const lines = {
      approved: `${result.by} approves ${what} for ${environment}, as it is configured now, ${until}`,
      rejected: `${result.by} rejects ${what} for ${environment}: it may not enter until ${result.by} approves it`,
      authorised: `${result.by} authorises ${what} for ${environment} although a later one has run there, ${until}`,
    };
    context.terminal.result(result, [lines[result.outcome]]);
  });
}
