import { LockageError } from '../../../pipelines/errors.ts';
import { shortDigest } from '../../../pipelines/model/release.ts';
import { perform } from '../../../pipelines/operations/perform.ts';
import { durationText } from '../../tools/format.ts';
import { requestOf, waitOf, type Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';
import { drillText } from '../views/drill.ts';

/** Runs `lockage rollback`. */
export async function rollbackCommand(
  name: string,
  flags: Flags & { to?: string; drill?: boolean },
  signal: AbortSignal,
): Promise<void> {
  // The user waits since the process was started, not since this line.
  const startedAt = performance.timeOrigin;
  await runCommand({ ...flags, about: name }, signal, async (context) => {
    const target = { environment: name, ...(flags.to ? { to: flags.to } : {}), startedAt };
    if (flags.drill) {
      refuseWithDrill(flags);
      const proven = await perform(context, 'drill', target, waitOf(flags));
      context.terminal.result(proven, [drillText(name, proven.drill)]);
      return;
    }
    const request = { ...target, ...requestOf(flags) };
    const result = await perform(context, 'rollback', request, waitOf(flags));
    const { outcome, revision, trafficBack } = result;
    if (outcome === 'planned' && revision) {
      const what = `${revision.release.version} (revision ${revision.number})`;
      context.terminal.result(result, [`what rests of the rollback of ${name} to ${what} would be started, no more`]);
      return;
    }
    const lines = revision
      ? [
          `${name} runs ${revision.release.version} (${shortDigest(revision.release.digest)}), revision ${revision.number}` +
            (trafficBack === undefined ? '' : `: traffic was back after ${durationText(trafficBack)}`),
          ...(outcome === 'rolled back' ? [`it is on hold: \`lockage resume ${name}\` lets releases in again`] : []),
        ]
      : [];
    context.terminal.result(result, lines);
  });
}

/**
 * Refuses options beside a drill: it changes nothing that could be planned, and makes no revision that a reason is
 * recorded with.
 */
function refuseWithDrill({ plan, reason, forceSchema }: Flags): void {
  const others = { '--plan': plan, '--reason': reason, '--force-schema': forceSchema };
  const [other] = Object.entries(others).find(([, given]) => given) ?? [];
  if (other === undefined) return;
  throw new LockageError(`--drill and ${other} exclude each other`, {
    hint: 'A drill moves no traffic and makes no revision: leave it out.',
  });
}
