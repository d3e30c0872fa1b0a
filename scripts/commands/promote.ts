import { LockageError } from '../../pipelines/errors.ts';
import { promote } from '../../pipelines/promote.ts';
import { shortDigest } from '../../pipelines/release.ts';
import type { Flags } from '../cli.ts';
import { bytesText, durationText } from '../format.ts';
import { withWorld } from '../with-world.ts';

/** `lockage promote` and `lockage plan`. */
export async function promoteCommand(
  version: string,
  flags: Flags & { to?: string; env?: string },
  signal: AbortSignal,
): Promise<void> {
  const environment = flags.to ?? flags.env;
  if (environment === undefined) {
    throw new LockageError('which environment?', { hint: `lockage promote ${version} --to ENVIRONMENT` });
  }
  await withWorld(flags, signal, async (world) => {
    // Pulumi's libraries load while registry and hosts are asked.
    if (!flags.plan) void world.stackRunner().catch(() => undefined);
    const result = await promote(world, {
      version,
      environment,
      ...(flags.reason ? { reason: flags.reason } : {}),
      ...(flags.plan ? { planOnly: true } : {}),
    });
    const { revision, bytesMoved = {} } = result;
    const moved = Object.values(bytesMoved).reduce((sum, bytes) => sum + bytes, 0);
    const hosts = Object.keys(bytesMoved).length;
    const lines = revision
      ? [
          `${environment} runs ${version} (${shortDigest(revision.release.digest)}), revision ${revision.number}, ` +
            `on ${hosts} host${hosts === 1 ? '' : 's'}: ${durationText(revision.duration)}, ${bytesText(moved)} moved`,
        ]
      : [];
    world.terminal.result(result, lines);
  });
}
