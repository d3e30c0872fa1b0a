import { perform } from '../../../pipelines/operations/perform.ts';
import { agoText } from '../../../pipelines/text/moment.ts';
import { waitOf, type Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';

/** Runs `lockage resume`. */
export async function resumeCommand(name: string, flags: Flags, signal: AbortSignal): Promise<void> {
  await runCommand({ ...flags, about: name }, signal, async (context) => {
    const result = await perform(context, 'resume', { environment: name }, waitOf(flags));
    const { hold } = result;
    const line = hold
      ? `${name} takes releases in again: lifted the hold of ${hold.actor}, ${agoText(hold.since, context.now())} (${hold.reason})`
      : `${name} is not on hold: nothing to do`;
    context.terminal.result(result, [line]);
  });
}
