import { perform, type ResultOf } from '../../../pipelines/operations/perform.ts';
import { agoText } from '../../../pipelines/text/moment.ts';
import { durationText } from '../../tools/format.ts';
import { waitOf, type Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';

/** Runs `lockage host cordon`. */
export async function cordonCommand(host: string, flags: Flags & { env: string }, signal: AbortSignal): Promise<void> {
  await runCommand(flags, signal, async (context) => {
    const result = await perform(context, 'cordon', hostRequest(host, flags), waitOf(flags));
    const { actor, since, reason } = result.cordon;
    const left = `${flags.env} goes on with ${result.remaining.join(', ')}`;
    const line =
      result.outcome === 'cordoned'
        ? `${host} is out of service: ${left}; \`lockage host uncordon ${host} --env ${flags.env}\` takes it back`
        : `${host} is out of service already, by ${actor} ${agoText(since, context.now())} (${reason}): nothing to do`;
    context.terminal.result(result, [line]);
  });
}

/** Runs `lockage host uncordon`. */
export async function uncordonCommand(
  host: string,
  flags: Flags & { env: string },
  signal: AbortSignal,
): Promise<void> {
  await runCommand(flags, signal, async (context) => {
    void context.loadPulumi().catch(() => undefined);
    const result = await perform(context, 'uncordon', hostRequest(host, flags), waitOf(flags));
    context.terminal.result(result, [uncordonLine(host, result)]);
  });
}

function uncordonLine(host: string, result: ResultOf<'uncordon'>): string {
  if (result.outcome === 'not cordoned') return `${host} is in service: nothing to do`;
  const { revision } = result;
  if (!revision) return `${host} is in service again, with what it ran before`;
  const { release, number, duration } = revision;
  return `${host} is in service again and serves ${release.version} (revision ${number}): ${durationText(duration)}`;
}

function hostRequest(host: string, { env, reason }: Flags & { env: string }) {
  return { environment: env, host, ...(reason ? { reason } : {}) };
}
