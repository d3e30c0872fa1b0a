import { LockageError } from '../../../pipelines/errors.ts';
import { shortDigest } from '../../../pipelines/model/release.ts';
import type { Revision } from '../../../pipelines/model/revision.ts';
import { perform } from '../../../pipelines/operations/perform.ts';
import { bytesText, durationText } from '../../tools/format.ts';
import { ExitCode } from '../exit-codes.ts';
import { requestOf, waitOf, type Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';

/** Runs `lockage promote` and `lockage plan`. */
export async function promoteCommand(
  version: string,
  flags: Flags & { to?: string; env?: string; breakGlass?: string },
  signal: AbortSignal,
): Promise<void> {
  const environment = flags.to ?? flags.env;
  if (environment === undefined) {
    const command = flags.plan ? 'plan' : 'promote';
    throw new LockageError('which environment?', { hint: `Run \`lockage ${command} ${version} --to ENVIRONMENT\`.` });
  }
  await runCommand({ ...flags, about: environment }, signal, async (context) => {
    // Pulumi's libraries load while the registry and the hosts are asked.
    if (!flags.plan) void context.loadPulumi().catch(() => undefined);
    const glass = flags.breakGlass === undefined ? {} : { breakGlass: flags.breakGlass };
    const request = { version, environment, ...requestOf(flags), ...glass };
    const result = await perform(context, 'promote', request, waitOf(flags));
    if (result.outcome === 'planned') return context.terminal.result(result, []);
    const { revision, bytesMoved = {} } = result;
    if (revision?.without) process.exitCode = ExitCode.partial;
    context.terminal.result(result, revision ? promotedLines(environment, revision, bytesMoved) : []);
  });
}

/** Says what runs now, on how many hosts, and which ones it did not reach. */
export function promotedLines(
  environment: string,
  { release, number, duration, without }: Revision,
  bytesMoved: Readonly<Record<string, number>>,
): string[] {
  const moved = Object.values(bytesMoved).reduce((sum, bytes) => sum + bytes, 0);
  const hosts = Object.keys(bytesMoved).length;
  return [
    `${environment} runs ${release.version} (${shortDigest(release.digest)}), revision ${number}, ` +
      `on ${hosts} host${hosts === 1 ? '' : 's'}: ${durationText(duration)}, ${bytesText(moved)} moved`,
    ...(without ? [`without ${without.join(', ')}, cordoned: \`lockage host uncordon\` brings it there`] : []),
  ];
}
