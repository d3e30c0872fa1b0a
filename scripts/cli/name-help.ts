import type { Command } from 'commander';
import { LockageError } from '../../pipelines/errors.ts';

/** Words that other tools have for it. Near to one of ours they would lead astray: `deploy` is not `destroy`. */
const elsewhere: Readonly<Record<string, string>> = {
  deploy: 'lockage promote VERSION --to ENVIRONMENT',
  up: 'lockage promote VERSION --to ENVIRONMENT',
  build: 'lockage release VERSION',
  push: 'lockage release VERSION',
  ps: 'lockage status',
};

/** Answers what other tools call it with the command that does it here. */
export function addOtherWords(program: Command): void {
  for (const [word, ours] of Object.entries(elsewhere)) {
    program
      .command(word, { hidden: true })
      .argument('[words...]')
      .allowUnknownOption()
      .helpOption(false)
      .action(() => {
        throw new LockageError(`there is no command ${word}`, {
          hint: `What it does elsewhere, \`${ours}\` does here.`,
        });
      });
  }
}

/** Has each command name its own help where it is not understood. */
export function nameOwnHelp(command: Command, path = command.name()): void {
  for (const each of command.commands) {
    const own = `${path} ${each.name()}`;
    each.showHelpAfterError(`(\`${own} --help\` says what it takes)`);
    nameOwnHelp(each, own);
  }
}
