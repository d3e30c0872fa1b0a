import type { Command } from 'commander';
import { json, planOption, wait, yes } from './options.ts';

/** Adds `lockage env …`: environments for a while, beside those of the pipeline. */
export function addEnvironmentCommands(program: Command, interrupt: () => AbortSignal): void {
  const env = program
    .command('env')
    .description('environments for a tester or a pull request, which go by themselves: up, ls, down')
    .helpCommand(false);

  env
    .command('up')
    .argument('<name>', 'as pr-128')
    .option('--from <environment>', 'what it is made from: what runs in prod; prod@12: its revision 12')
    .option('--release <version>', 'another recorded release in place of that revision’s')
    .option('--on <host>', 'name of a configured host, or ssh://user@host (default: the engine that `docker` uses)')
    .option('--ttl <duration>', 'from 10s to 30d, after which it goes (default: 4h)')
    .option('--secrets <file>', 'with `NAME=value` on each line (default: asked for, or generated)')
    .option('--scale <role=number...>', 'containers of a role (default: one)')
    .option('--host-key <fingerprint...>', 'the ssh host key to expect, instead of a question')
    .description('make an environment on one host, which removes it by itself after its time')
    .addOption(planOption())
    .addOption(wait())
    .addOption(yes())
    .addOption(json())
    .addHelpText(
      'after',
      '\nExamples:\n  $ lockage env up pr-128 --from prod --release 1.5.0 --on ssh://deploy@test-3.example.com --ttl 8h' +
        '\n  $ lockage env up pr-128 --ttl 2d     give it more time',
    )
    .action(async (name, flags) => (await import('./commands/env-up.ts')).envUpCommand(name, flags, interrupt()));

  env
    .command('ls')
    .description('every environment with a time: where it runs, its URL, until when, and whether it serves')
    .addOption(json())
    .action(async (flags) => (await import('./commands/env-list.ts')).envListCommand(flags, interrupt()));

  env
    .command('down')
    .argument('<name>')
    .description('remove an environment with a time at once, with its data and its record')
    .addOption(wait())
    .addOption(yes())
    .addOption(json())
    .action(async (name, flags) => (await import('./commands/env-down.ts')).envDownCommand(name, flags, interrupt()));
}
