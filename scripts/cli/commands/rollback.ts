import { shortDigest } from '../../../pipelines/model/release.ts';
import { perform } from '../../../pipelines/operations/perform.ts';
import { durationText } from '../../tools/format.ts';
import { requestOf, type Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';

/** Runs `lockage rollback`. */
export async function rollbackCommand(
  name: string,
  flags: Flags & { to?: string },
  signal: AbortSignal,
): Promise<void> {
  // The user waits since the process was started, not since this line.
  const startedAt = performance.timeOrigin;
  await runCommand(flags, signal, async (context) => {
    const request = {
      environment: name,
      ...(flags.to ? { to: flags.to } : {}),
      ...requestOf(flags),
      startedAt,
    };
    const result = await perform(context, 'rollback', request);
    const { revision, trafficBack } = result;
    const lines = revision
      ? [
          `${name} runs ${revision.release.version} (${shortDigest(revision.release.digest)}), revision ${revision.number}` +
            (trafficBack === undefined ? '' : `: traffic was back after ${durationText(trafficBack)}`),
          `it is on hold: \`lockage resume ${name}\` lets releases in again`,
        ]
      : [];
    context.terminal.result(result, lines);
  });
}
