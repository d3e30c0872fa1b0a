import { perform } from '../../../pipelines/operations/perform.ts';
import type { Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';

/** Runs `lockage machines start`. */
export async function machinesStartCommand(name: string | undefined, flags: Flags, signal: AbortSignal): Promise<void> {
  // What starts the computer has no variable of an operator's shell.
  await runCommand({ ...flags, keyless: true }, signal, async (context) => {
    const { machines } = await perform(context, 'startMachines', name === undefined ? {} : { only: name });
    const lines = machines.map(({ environment, host }) => `${environment}: ${host} runs`);
    context.terminal.result({ machines }, lines.length > 0 ? lines : ['no environment has machines here']);
  });
}
