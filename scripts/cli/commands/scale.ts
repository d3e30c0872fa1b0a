import { LockageError } from '../../../pipelines/errors.ts';
import { own } from '../../../pipelines/model/own.ts';
import { perform } from '../../../pipelines/operations/perform.ts';
import { durationText } from '../../tools/format.ts';
import { requestOf, waitOf, type Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';

/** Runs `lockage scale`. */
export async function scaleCommand(
  environment: string,
  written: readonly string[],
  flags: Flags,
  signal: AbortSignal,
): Promise<void> {
  const counts = countsOf(written);
  await runCommand({ ...flags, about: environment }, signal, async (context) => {
    const request = { environment, counts, ...requestOf(flags) };
    const result = await perform(context, 'scale', request, waitOf(flags));
    const revision = result.outcome === 'planned' ? undefined : result.revision;
    const sizes = Object.entries(counts).map(([role, count]) => `${count} of ${role}`);
    const lines = revision
      ? [`${environment} runs ${sizes.join(', ')}, revision ${revision.number}: ${durationText(revision.duration)}`]
      : [];
    context.terminal.result(result, lines);
  });
}

/** Reads `web=4` and the like. Throws LockageError. */
export function countsOf(written: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const text of written) {
    const [, role = '', number = ''] = /^([a-z0-9-]+)=(\d{1,3})$/.exec(text) ?? [];
    const count = Number(number);
    if (role === '' || count < 1 || count > 100) {
      throw new LockageError(`expected ROLE=NUMBER with a number from 1 to 100, got ${JSON.stringify(text)}`, {
        hint: 'For example, run `lockage scale prod web=4 worker=2`.',
      });
    }
    if (own(counts, role) !== undefined) throw new LockageError(`role ${role} is given twice`);
    counts[role] = count;
  }
  return counts;
}
