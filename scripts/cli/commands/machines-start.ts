import { PartialError } from '../../../pipelines/errors.ts';
import type { Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';
import { chosenEnvironments } from './host-list.ts';

/** Runs `lockage machines start`. */
export async function machinesStartCommand(name: string | undefined, flags: Flags, signal: AbortSignal): Promise<void> {
  // What starts the computer has no variable of an operator's shell.
  await runCommand({ ...flags, keyless: true }, signal, async (context) => {
    const started = [];
    for (const environment of chosenEnvironments(context, name))
      started.push(...(await context.machines.start(environment.name)));
    const gone = started.filter(({ runs }) => !runs);
    if (gone.length > 0) {
      throw new PartialError(`${gone.length} of ${started.length} machines are gone`, {
        details: gone.map(({ environment, host }) => `${environment}: ${host}`),
        hint: 'Promote the serving version again: it makes them.',
      });
    }
    const lines = started.map(({ environment, host }) => `${environment}: ${host} runs`);
    context.terminal.result({ machines: started }, lines.length > 0 ? lines : ['no environment has machines here']);
  });
}
