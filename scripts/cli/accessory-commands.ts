import type { Command } from 'commander';
import { json, wait, yes } from './options.ts';

const load = () => import('./commands/accessory.ts');

/** Adds `lockage accessory …`: the databases and the like of environments. */
export function addAccessoryCommands(program: Command, interrupt: () => AbortSignal): void {
  const accessory = program
    .command('accessory')
    .description('the accessories of environments: restart, logs, exec, backup and restore')
    .helpCommand(false);
  addRuns(accessory, interrupt);
  addData(accessory, interrupt);
}

function commandOf(accessory: Command, name: string) {
  return accessory
    .command(name)
    .argument('<environment>', 'whose accessory it is')
    .argument('<name>', 'its name in the configuration');
}

function addRuns(accessory: Command, interrupt: () => AbortSignal): void {
  const of = (environment: string, name: string) => ({ environment, name, signal: interrupt() });

  commandOf(accessory, 'restart')
    .description('stop it and start it again, and wait until it works')
    .addOption(wait())
    .addOption(json())
    .action(async (environment, name, flags) => (await load()).accessoryRestartCommand(of(environment, name), flags));

  commandOf(accessory, 'logs')
    .option('-f, --follow', 'go on with what comes')
    .option('-n, --tail <lines>', 'number of last lines', '100')
    .description('its output')
    .addOption(json())
    .action(async (environment, name, flags) => (await load()).accessoryLogsCommand(of(environment, name), flags));

  commandOf(accessory, 'exec')
    .argument('<command...>', 'after --')
    .option('-i, --interactive', "give it this command's input")
    .description('run a command in it; its exit code becomes that of this command')
    .action(async (environment, name, argv, flags) =>
      (await load()).accessoryExecCommand(of(environment, name), argv, flags),
    );
}

function addData(accessory: Command, interrupt: () => AbortSignal): void {
  const of = (environment: string, name: string) => ({ environment, name, signal: interrupt() });

  commandOf(accessory, 'backup')
    .argument('<file>', 'to write, as a whole or not at all')
    .option('--no-test', 'do not prove it by a restore into a container of its own')
    .description('write its data to a file, by its own program, and prove that they can be restored')
    .addOption(json())
    .addHelpText('after', '\nExample:\n  $ lockage accessory backup prod db backups/db.sql')
    .action(async (environment, name, file, flags) =>
      (await load()).accessoryBackupCommand(of(environment, name), file, flags),
    );

  commandOf(accessory, 'restore')
    .argument('<file>', 'that a backup wrote')
    .description('replace its data by those of a file')
    .addOption(wait())
    .addOption(yes())
    .addOption(json())
    .action(async (environment, name, file, flags) =>
      (await load()).accessoryRestoreCommand(of(environment, name), file, flags),
    );
}
