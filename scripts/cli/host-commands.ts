import type { Command } from 'commander';
import { json, reason, wait, yes } from './options.ts';

/** Adds `lockage host …`: the hosts of environments. */
export function addHostCommands(program: Command, interrupt: () => AbortSignal): void {
  const host = program
    .command('host')
    .description('the hosts of environments: list, check, prepare and add, take out')
    .helpCommand(false);
  addLooks(host, interrupt);
  addTargets(host, interrupt);
  addService(host, interrupt);
}

function addLooks(host: Command, interrupt: () => AbortSignal): void {
  host
    .command('ls')
    .argument('[environment]', 'only the hosts of this one')
    .description('every host, how it is reached, and whether it answers')
    .addOption(json())
    .action(async (name, flags) => (await import('./commands/host-list.ts')).hostListCommand(name, flags, interrupt()));

  host
    .command('check')
    .argument('[environment]', 'only the hosts of this one')
    .description('machine, engine, disk, clock and images of every host, and what differs between them')
    .addOption(json())
    .action(async (name, flags) =>
      (await import('./commands/host-check.ts')).hostCheckCommand(name, flags, interrupt()),
    );
}

function addTargets(host: Command, interrupt: () => AbortSignal): void {
  host
    .command('add')
    .argument('<url>', 'ssh://user@host or ssh://user@host:port, of a Debian or Ubuntu')
    .requiredOption('-e, --env <environment>', 'whose host it becomes')
    .option('--name <name>', 'default: the first part of the host name')
    .option('--identity <file>', 'private key to log in with')
    .option('--jump <user@host:port>', 'machine to go through')
    .option('--address <address>', "where its published ports are reached (default: the URL's host)")
    .option('--host-key <fingerprint...>', 'the ssh host key to expect, instead of a question')
    .description('install and set up Docker on a machine over ssh, and make it a target of an environment')
    .addOption(yes())
    .addOption(json())
    .addHelpText(
      'after',
      '\nExamples:\n  $ lockage host add ssh://root@10.0.0.7 --env prod --name prod-3\n  $ lockage host add ssh://deploy@prod-3.example.com --env prod --host-key SHA256:… --yes',
    )
    .action(async (url, flags) => (await import('./commands/host-add.ts')).hostAddCommand(url, flags, interrupt()));

  host
    .command('rm')
    .argument('<host>', 'its name')
    .requiredOption('-e, --env <environment>', 'whose host it is')
    .option('--gone', 'it is cordoned and never comes back: forget what it had instead of removing it')
    .description('take a host out of the targets; the next promotion removes what it has of the environment')
    .addOption(wait())
    .addOption(yes())
    .addOption(json())
    .action(async (name, flags) =>
      (await import('./commands/host-remove.ts')).hostRemoveCommand(name, flags, interrupt()),
    );
}

function addService(host: Command, interrupt: () => AbortSignal): void {
  host
    .command('cordon')
    .argument('<host>', 'its name')
    .requiredOption('-e, --env <environment>', 'whose host it is')
    .description('take a host out of service, dead or alive: promotions and rollbacks go on without it')
    .addOption(reason())
    .addOption(wait())
    .addOption(json())
    .action(async (name, flags) => (await import('./commands/cordon.ts')).cordonCommand(name, flags, interrupt()));

  host
    .command('uncordon')
    .argument('<host>', 'its name')
    .requiredOption('-e, --env <environment>', 'whose host it is')
    .description('take a host back: it gets what the environment runs, and traffic once that works there')
    .addOption(reason())
    .addOption(wait())
    .addOption(yes())
    .addOption(json())
    .action(async (name, flags) => (await import('./commands/cordon.ts')).uncordonCommand(name, flags, interrupt()));
}
