import type { Command } from 'commander';
import { json, planOption, wait, yes } from './options.ts';

/** Adds `lockage reproduce`, `bundle` and `archive`: a revision of an environment, on another computer, and for later. */
export function addReproductionCommands(program: Command, interrupt: () => AbortSignal): void {
  program
    .command('reproduce')
    .argument('[environment]', 'what runs in it; prod@12: its revision 12; prod@1.4.0: the last one with that version')
    .description('run a revision of an environment here, as it is recorded, with secrets and data of its own')
    .option('--as <name>', 'name of the reproduction (default: prod-here for prod)')
    .option('--from <file>', 'from a bundle: without network, project and state')
    .option('--secrets <file>', 'with `NAME=value` on each line (default: asked for, or generated)')
    .option('--scale <role=number...>', 'containers of a role (default: one)')
    .option('--data <[name=]file|image...>', 'of an accessory: a dump, or an image that has data (default: empty)')
    .addOption(planOption())
    .addOption(wait())
    .addOption(yes())
    .addOption(json())
    .addHelpText(
      'after',
      '\nExamples:\n  $ lockage reproduce prod\n  $ lockage reproduce prod@12 --as prod-before --scale web=2' +
        '\n  $ lockage reproduce --from prod.lockage\n  $ lockage destroy prod-here --volumes',
    )
    .action(async (name, flags) =>
      (await import('./commands/reproduce.ts')).reproduceCommand(name, flags, interrupt()),
    );

  program
    .command('bundle')
    .argument('<environment>', 'what runs in it; prod@12: its revision 12; prod@1.4.0: the last one with that version')
    .description('write a revision of an environment to one file, with all its images and no secret')
    .option('-o, --output <file>', 'where to')
    .addOption(json())
    .addHelpText(
      'after',
      '\nExamples:\n  $ lockage bundle prod -o prod.lockage\n  $ lockage reproduce --from prod.lockage',
    )
    .action(async (name, flags) => (await import('./commands/bundle.ts')).bundleCommand(name, flags, interrupt()));

  program
    .command('archive')
    .argument('<environment>')
    .description(
      'retire an environment: a bundle of what it runs is written and read once more, then it goes from its hosts',
    )
    .option('-o, --output <file>', 'the bundle (default: .lockage/archive/ENV-rNUMBER.lockage)')
    .option('--volumes', 'also remove the data of its accessories')
    .addOption(wait())
    .addOption(yes())
    .addOption(json())
    .addHelpText(
      'after',
      '\nIts record stays: `history`, `releases` and the gates of what comes after it know what it ran.' +
        '\n\nExamples:\n  $ lockage archive load-test --yes\n  $ lockage archive prod-us -o prod-us.lockage' +
        '\n  $ lockage reproduce --from prod-us.lockage',
    )
    .action(async (name, flags) => (await import('./commands/archive.ts')).archiveCommand(name, flags, interrupt()));
}
