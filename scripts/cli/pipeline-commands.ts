import { Option, type Command } from 'commander';
import { json, skipHooks, wait } from './options.ts';

/** Adds `lockage pipeline run` and `lockage verify`: what a release has to pass, and how it goes on by itself. */
export function addPipelineCommands(program: Command, interrupt: () => AbortSignal): void {
  program
    .command('pipeline')
    .description('run: bring a release into every environment with `promote: auto` whose gates are met')
    .helpCommand(false)
    .command('run')
    .option('--release <version>', 'default: the newest')
    .addOption(new Option('--plan', 'say what would be promoted now, and stop'))
    .description('bring a release as far as gates allow, through environments with `promote: auto`; for CI')
    .addOption(wait())
    .addOption(skipHooks())
    .addOption(json())
    .addHelpText(
      'after',
      '\nExamples:\n  $ lockage pipeline run --json\n  $ lockage pipeline run --release 1.4.0 --wait',
    )
    .action(async (flags) => (await import('./commands/pipeline-run.ts')).pipelineRunCommand(flags, interrupt()));

  program
    .command('verify')
    .argument('<environment>')
    .option('--job <name>', 'only this one')
    .description('run the jobs of an environment against what serves there; nothing that serves is changed')
    .addOption(wait())
    .addOption(json())
    .addHelpText('after', '\nExamples:\n  $ lockage verify qa\n  $ lockage verify qa --job load')
    .action(async (name, flags) => (await import('./commands/verify.ts')).verifyCommand(name, flags, interrupt()));
}
