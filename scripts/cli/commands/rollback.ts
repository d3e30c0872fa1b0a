import { shortDigest } from '../../../pipelines/model/release.ts';
import type { Drill } from '../../../pipelines/model/revision.ts';
import { perform } from '../../../pipelines/operations/perform.ts';
import { durationText } from '../../tools/format.ts';
import { requestOf, waitOf, type Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';

/** Runs `lockage rollback`. */
export async function rollbackCommand(
  name: string,
  flags: Flags & { to?: string; drill?: boolean },
  signal: AbortSignal,
): Promise<void> {
  // The user waits since the process was started, not since this line.
  const startedAt = performance.timeOrigin;
  await runCommand(flags, signal, async (context) => {
    const target = { environment: name, ...(flags.to ? { to: flags.to } : {}), startedAt };
    if (flags.drill) {
      const proven = await perform(context, 'drill', target, waitOf(flags));
      context.terminal.result(proven, [drillText(name, proven.drill)]);
      return;
    }
    const request = { ...target, ...requestOf(flags) };
    const result = await perform(context, 'rollback', request, waitOf(flags));
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

function drillText(environment: string, { version, revision, duration, from }: Drill): string {
  const how = from === 'standby' ? 'by its standby' : 'with containers that were made for it';
  return `${environment} can go back to ${version} (revision ${revision}) ${how}: ready after ${durationText(duration)}`;
}
