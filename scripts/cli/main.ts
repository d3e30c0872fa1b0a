#!/usr/bin/env node
import '../setup/refuse-old-node.mjs';
import { Command, CommanderError, Option } from 'commander';
import { lockageVersion } from '../../infra/system/tool-versions.ts';
import { addAccessoryCommands } from './accessory-commands.ts';
import { addAuditCommands } from './audit-commands.ts';
import { addDatabaseCommands } from './database-commands.ts';
import { addEnvironmentCommands } from './environment-commands.ts';
import { ExitCode } from './exit-codes.ts';
import { addGateCommands } from './gate-commands.ts';
import { addHostCommands } from './host-commands.ts';
import { interruptSignal } from './interrupt.ts';
import { addKeyCommands } from './key-commands.ts';
import { addMachineCommands } from './machine-commands.ts';
import { addOtherWords, nameOwnHelp } from './name-help.ts';
import { forceSchema, json, planOption, revisionOptions, skipHooks, wait, yes } from './options.ts';
import { flushed, watchOutput } from './output.ts';
import { addPipelineCommands } from './pipeline-commands.ts';
import { addReleaseCommand, addReleasesCommands } from './release-commands.ts';
import { addReproductionCommands } from './reproduction-commands.ts';

const stopping = 'stopping at the next safe point; once more to stop at once (see `lockage status` then)';

/**
 * Installs the handlers: the first SIGINT or SIGTERM asks the running operation to stop at its next safe point; a
 * second one ends it.
 */
const interrupt = () =>
  interruptSignal({
    // A running command has loaded this already; nothing needs it before one runs.
    onFirst: () => void import('./terminal.ts').then(({ print }) => print(stopping, 'stderr')),
    onSecond: () => process.exit(ExitCode.interrupted),
  });

const program = new Command('lockage')
  .description('One image, built once, promoted unchanged from dev to prod, and rolled back in a second.')
  .version(lockageVersion)
  .showHelpAfterError('(lockage --help lists the commands)')
  .showSuggestionAfterError()
  .enablePositionalOptions()
  .exitOverride()
  .configureHelp({ sortSubcommands: false })
  .addHelpText(
    'after',
    `
A first release, from a folder with a Dockerfile:
  $ lockage init                      write lockage.yaml and environments/
  $ lockage release 1.0.0             build the image once, push it, record its digest
  $ lockage promote 1.0.0 --to dev    all hosts of dev serve it, or none
  $ lockage promote 1.0.0 --to prod   the same digest, after it ran well in dev
  $ lockage status                    what runs where
  $ lockage rollback prod             the earlier containers get the traffic back at once

Exit codes: 0 done, 2 refused and nothing changed, 3 failed and rolled back, 4 failed and not rolled back,
5 only some hosts, 75 locked by somebody else.`,
  );

program
  .command('init')
  .description('write a commented configuration for the service in this folder')
  .option('--app <name>', 'name of the application (default: the folder)')
  .option('--github', 'write workflows for GitHub too; alone where there is a configuration')
  .option('--force', 'replace files that are in the way')
  .action(async (flags) => (await import('./commands/init.ts')).initCommand(flags));

addReleaseCommand(program, interrupt);

revisionOptions(
  program
    .command('promote')
    .argument('<version>', 'a recorded release')
    .option('-e, --to <environment>', 'where to')
    .addOption(new Option('--env <environment>').hideHelp())
    .addOption(forceSchema())
    .option(
      '--break-glass <reason>',
      'pass gates that are not met, as far as the environment allows it; shown to everybody',
    )
    .description('bring a release into an environment: all hosts serve it, or all keep what they serve'),
)
  .addHelpText(
    'after',
    '\nExamples:\n  $ lockage promote 1.4.0 --to qa\n  $ lockage promote 1.4.0 --to prod --plan\n  $ lockage promote 1.4.0 --to prod --yes --reason "spring sale"',
  )
  .action(async (given, flags) => (await import('./commands/promote.ts')).promoteCommand(given, flags, interrupt()));

revisionOptions(
  program
    .command('rollback')
    .argument('<environment>')
    .option('--to <revision|version>', 'default: the last good revision before this one')
    .addOption(forceSchema())
    .option('--drill', 'prove that it would work and time it, without moving traffic; recorded')
    .description('put the earlier containers back, with their configuration and secrets, and hold the environment'),
)
  .addHelpText(
    'after',
    '\nExamples:\n  $ lockage rollback prod\n  $ lockage rollback prod --to 41 --yes\n  $ lockage rollback prod --to 1.3.2 --reason "checkout is slow"\n  $ lockage rollback prod --drill',
  )
  .action(async (name, flags) => (await import('./commands/rollback.ts')).rollbackCommand(name, flags, interrupt()));

program
  .command('drill')
  .argument('[environment...]')
  .option('--all', 'each environment that has something to go back to')
  .description('prove for environments that a rollback would work, without moving traffic; for a schedule of CI')
  .addOption(wait())
  .addOption(skipHooks())
  .addOption(json())
  .addHelpText('after', '\nExamples:\n  $ lockage drill --all --json\n  $ lockage drill qa prod --wait 5m')
  .action(async (names, flags) => (await import('./commands/drill.ts')).drillCommand(names, flags, interrupt()));

program
  .command('resume')
  .argument('<environment>')
  .description('lift the hold that a rollback set')
  .addOption(wait())
  .addOption(json())
  .action(async (name, flags) => (await import('./commands/resume.ts')).resumeCommand(name, flags, interrupt()));

revisionOptions(
  program
    .command('scale')
    .argument('<environment>')
    .argument('<role=number...>', 'how many containers the role gets')
    .description('give roles on a swarm another number of containers'),
)
  .addHelpText(
    'after',
    '\nExamples:\n  $ lockage scale prod web=6\n  $ lockage scale prod web=4 worker=2 --reason "sale"',
  )
  .action(async (name, counts, flags) =>
    (await import('./commands/scale.ts')).scaleCommand(name, counts, flags, interrupt()),
  );

program
  .command('plan')
  .argument('<version>')
  .option('-e, --to <environment>', 'where to')
  .addOption(new Option('--env <environment>').hideHelp())
  .description('show what a promotion would do, container by container')
  .addOption(json())
  .action(async (given, flags) =>
    (await import('./commands/promote.ts')).promoteCommand(given, { ...flags, plan: true }, interrupt()),
  );

addGateCommands(program, interrupt);
addPipelineCommands(program, interrupt);
addKeyCommands(program, interrupt);

program
  .command('status')
  .description('what runs where, on one screen')
  .option('--check', 'end with 4 or 5 when anything is not as it is recorded')
  .option('-e, --env <environment>', 'only this one, host by host')
  .addOption(json())
  .action(async (flags) => (await import('./commands/status.ts')).statusCommand(flags, interrupt()));

program
  .command('drift')
  .argument('[environment]')
  .description('what is not as it is recorded, and as it was made; ends with 5 when anything is')
  .option('--watch', 'look again every 10 s until it is stopped')
  .addOption(json())
  .action(async (name, flags) => (await import('./commands/drift.ts')).driftCommand(name, flags, interrupt));

revisionOptions(
  program
    .command('heal')
    .argument('[environment]')
    .description('put new containers, edges and accessories in place of all that `drift` finds; strangers stay'),
)
  .addHelpText('after', '\nExamples:\n  $ lockage heal prod --plan\n  $ lockage heal prod --yes')
  .action(async (name, flags) => (await import('./commands/heal.ts')).healCommand(name, flags, interrupt()));

program
  .command('diff')
  .argument('<a>', 'a release, or an environment: 1.4.0, prod, prod@12, prod@1.4.0, prod@running')
  .argument('<b>', 'the same')
  .description('what differs: image, layers, commits, settings, topology, hosts; ends with 5 when anything does')
  .addHelpText('after', '\nExamples:\n  $ lockage diff uat prod\n  $ lockage diff prod@12 prod')
  .addOption(json())
  .action(async (a, b, flags) => (await import('./commands/diff.ts')).diffCommand([a, b], flags, interrupt()));

program
  .command('history')
  .argument('<environment>')
  .option('-n, --limit <count>', 'how many revisions', '20')
  .option('--revision <number>', 'only this one, with the output of its jobs')
  .description('revisions of an environment: result, actor, reason, duration')
  .addOption(json())
  .action(async (name, flags) => (await import('./commands/history.ts')).historyCommand(name, flags, interrupt()));

addAuditCommands(program, interrupt);
addReleasesCommands(program, interrupt);

program
  .command('logs')
  .requiredOption('-e, --env <environment>', 'whose logs')
  .option('--role <role>', 'only this role')
  .option('--host <host>', 'only this host')
  .option('-f, --follow', 'go on; also across a promotion')
  .option('-n, --tail <lines>', 'lines of each container to begin with', '20')
  .description('logs of all hosts at once')
  .addOption(json())
  .action(async (flags) => (await import('./commands/logs.ts')).logsCommand(flags));

program
  .command('exec')
  .argument('<command...>')
  .requiredOption('-e, --env <environment>', 'where')
  .option('--role <role>', 'in containers of this role (default: the first role)')
  .option('--host <host>', 'only on this host')
  .passThroughOptions()
  .description('run a command in a serving container of every host')
  .addHelpText(
    'after',
    '\nExamples:\n  $ lockage exec -e prod -- node -v\n  $ lockage exec -e prod --role worker --host prod-2 -- cat /tmp/heartbeat',
  )
  .action(async (argv, flags) => (await import('./commands/exec.ts')).execCommand(argv, flags, interrupt()));

program
  .command('unlock')
  .argument('[environment]')
  .description('lift a lock whose holder is gone for good')
  .option('--records', 'in place of an environment: the records that all share, as that of releases')
  .addOption(yes())
  .addOption(json())
  .action(async (name, flags) => (await import('./commands/unlock.ts')).unlockCommand(name, flags, interrupt()));

program
  .command('adopt')
  .argument('<environment>')
  .option('--from <host>', 'whose copy counts where hosts have different ones')
  .option('--without <host...>', 'hosts that are dead: they are cordoned')
  .description('rebuild a state that is lost or older from what the hosts know; nothing that runs is touched')
  .addOption(planOption())
  .addOption(yes())
  .addOption(json())
  .addHelpText('after', '\nExamples:\n  $ lockage adopt prod --plan\n  $ lockage adopt prod --without prod-2 --yes')
  .action(async (name, flags) => (await import('./commands/adopt.ts')).adoptCommand(name, flags, interrupt()));

program
  .command('destroy')
  .argument('<environment>')
  .option('--volumes', 'also the data of its accessories')
  .description('remove an environment from its hosts: containers, networks, routes, record')
  .addOption(wait())
  .addOption(yes())
  .addOption(json())
  .action(async (name, flags) => (await import('./commands/destroy.ts')).destroyCommand(name, flags, interrupt()));

program
  .command('prune')
  .argument('[environment]')
  .description('remove images that neither runs nor any environment may go back to: on hosts, and in the registry')
  .addOption(new Option('--plan', 'show each thing with its size and reason, and stop'))
  .addOption(wait())
  .addOption(yes())
  .addOption(json())
  .addHelpText('after', '\nExamples:\n  $ lockage prune --plan\n  $ lockage prune prod --yes')
  .action(async (name, flags) => (await import('./commands/prune.ts')).pruneCommand(name, flags, interrupt()));

program
  .command('doctor')
  .argument('[environment]', 'also whether it could be changed, and be taken back, now')
  .description('check this machine, the configuration, the registry, the backend and every host')
  .option('-e, --env <environment>', 'the same')
  .option('--cis', 'also the checks of the CIS Docker Benchmark that apply to hosts and containers')
  .addOption(json())
  .action(async (name, flags) => (await import('./commands/doctor.ts')).doctorCommand(name, flags, interrupt()));

program
  .command('host-key')
  .argument('<environment>')
  .option('--accept <fingerprint...>', 'pin these keys without asking')
  .description('show the ssh host keys of an environment and pin them')
  .action(async (name, flags) => (await import('./commands/host-key.ts')).hostKeyCommand(name, flags, interrupt()));

addHostCommands(program, interrupt);
addAccessoryCommands(program, interrupt);
addMachineCommands(program, interrupt);
addReproductionCommands(program, interrupt);
addEnvironmentCommands(program, interrupt);
addDatabaseCommands(program, interrupt);
addOtherWords(program);
nameOwnHelp(program);

watchOutput();

// What comes after `--` is a program's, and says nothing of how this one prints.
const words = process.argv.slice(2);
const isJson = words.slice(0, [...words, '--'].indexOf('--')).includes('--json');
const end = async (code: number | string | null | undefined) => process.exit(await flushed(code));
const endWith = async (error: unknown) => {
  const { reportError, reportWords } = await import('./report-error.ts');
  if (error instanceof CommanderError) return end(reportWords(error, isJson));
  await end(reportError(error, isJson));
};
// What is thrown where nobody waits for it is a bug, too, and would end with a code that says something else.
process.on('uncaughtException', (error) => void endWith(error));

try {
  await program.parseAsync();
  await end(process.exitCode ?? ExitCode.ok);
} catch (error) {
  await endWith(error);
}
