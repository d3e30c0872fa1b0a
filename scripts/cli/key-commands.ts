import { Option, type Command } from 'commander';
import { json } from './options.ts';

/** Adds `lockage key …`: keys of one's own, and those that the project trusts. */
export function addKeyCommands(program: Command, interrupt: () => AbortSignal): void {
  const key = program
    .command('key')
    .description('keys that sign what releases have passed: make one, list those of the project')
    .helpCommand(false);

  key
    .command('new')
    .argument('<name>', 'of its owner: a person, or a job of CI')
    .addOption(new Option('--type <type>', 'its type').choices(['ed25519', 'p256']).default('ed25519'))
    .description('make a key for this user alone, and print the lines for lockage.yaml')
    .addOption(json())
    .addHelpText('after', '\nExample:\n  $ lockage key new anna')
    .action(async (name, flags) => (await import('./commands/key.ts')).keyNewCommand(name, flags));

  key
    .command('ls')
    .description('the keys of the project: what they may sign, until when, and which are at hand')
    .addOption(json())
    .action(async (flags) => (await import('./commands/key.ts')).keyListCommand(flags, interrupt()));
}
