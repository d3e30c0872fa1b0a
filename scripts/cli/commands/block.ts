import { perform } from '../../../pipelines/operations/perform.ts';
import { agoText } from '../../../pipelines/text/moment.ts';
import type { Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';

/** Runs `lockage block`. */
export async function blockCommand(
  version: string,
  flags: Flags & { reason: string },
  signal: AbortSignal,
): Promise<void> {
  await runCommand(flags, signal, async (context) => {
    const result = await perform(context, 'block', { version, reason: flags.reason });
    const { outcome, block, runs } = result;
    const line =
      outcome === 'blocked'
        ? `${version} is blocked: it enters no environment`
        : `${version} is blocked already, by ${block.actor} ${agoText(block.since, context.now())}: ${block.reason}`;
    context.terminal.result(result, [
      line,
      ...runs.map((name) => `${name} runs it and goes on: \`lockage rollback ${name}\` takes it back`),
    ]);
  });
}

/** Runs `lockage unblock`. */
export async function unblockCommand(version: string, flags: Flags, signal: AbortSignal): Promise<void> {
  await runCommand(flags, signal, async (context) => {
    const result = await perform(context, 'unblock', { version });
    const { block } = result;
    const line = block
      ? `${version} may be promoted again: lifted the block of ${block.actor}, ${agoText(block.since, context.now())} (${block.reason})`
      : `${version} is not blocked: nothing to do`;
    context.terminal.result(result, [line]);
  });
}
