import { resume } from '../../../pipelines/operations/resume.ts';
import { agoText } from '../../tools/format.ts';
import { withWorld } from '../run-command.ts';
import type { Flags } from '../options.ts';

/** `lockage resume` */
export async function resumeCommand(name: string, flags: Flags, signal: AbortSignal): Promise<void> {
  await withWorld(flags, signal, async (world) => {
    const result = await resume(world, { environment: name });
    const { hold } = result;
    const line = hold
      ? `${name} takes releases in again: lifted the hold of ${hold.actor}, ${agoText(hold.since, world.now())} (${hold.reason})`
      : `${name} is not on hold: nothing to do`;
    world.terminal.result(result, [line]);
  });
}
