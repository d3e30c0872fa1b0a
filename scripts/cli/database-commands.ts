import { Option, type Command } from 'commander';
import { json } from './options.ts';

const load = () => import('./commands/db.ts');

const environment = [
  '-e, --env <environment>',
  'whose configuration counts (default: the first of the pipeline)',
] as const;
const release = ['--release <version>', 'whose migration it gets (default: the newest)'] as const;

/** Adds `lockage db …` and `lockage test`: pristine copies of databases for tests. */
export function addDatabaseCommands(program: Command, interrupt: () => AbortSignal): void {
  const db = program
    .command('db')
    .description('databases for tests: bake one into an image, and run pristine copies of it')
    .helpCommand(false);

  db.command('bake')
    .argument('[name]', 'the accessory (default: the only one)')
    .option(...environment)
    .option(...release)
    .description(
      'migrate and seed the database of a release, and push it as an image; does nothing where that is there',
    )
    .addOption(json())
    .addHelpText('after', '\nExamples:\n  $ lockage db bake\n  $ lockage db bake db --release 1.4.0')
    .action(async (name, flags) => (await load()).dbBakeCommand(name, flags, interrupt()));

  db.command('fork')
    .argument('[name]', 'the accessory (default: the only one)')
    .option('-n, --count <number>', 'how many', '1')
    .option('--stdin', 'end when the input of this command ends, too')
    .option(...environment)
    .option(...release)
    .description('run copies until this command ends, or who called it; each with a URL and data of its own')
    .addOption(json())
    .addHelpText('after', '\nExamples:\n  $ lockage db fork\n  $ lockage db fork db --count 16 --json')
    .action(async (name, flags) => (await load()).dbForkCommand(name, flags, interrupt()));

  db.command('sweep')
    .description('remove what commands that were killed have left behind; every `db` command does so by itself')
    .option('--patient', 'as long as the engine does not answer')
    .addOption(json())
    .action(async (flags) => (await load()).dbSweepCommand(flags, interrupt()));

  program
    .command('test')
    .argument('<command...>', 'after --')
    .option('-p, --parallel <workers>', 'how many tests run at a time', '4')
    .option('--database <name>', 'the accessory (default: the only one)')
    .addOption(
      new Option('--strategy <strategy>', 'template: copies inside one PostgreSQL')
        .choices(['fork', 'template'])
        .default('fork'),
    )
    .addOption(
      new Option('--per <what>', 'worker: each has one from the start; test: a pool for each test')
        .choices(['worker', 'test'])
        .default('worker'),
    )
    .option(
      '--environment <environment>',
      'a whole environment for each worker, as this one or its revision is recorded',
    )
    .option('--ttl <time>', 'with --environment: after which their host removes them, whatever happens here', '4h')
    .option(...environment)
    .option(...release)
    .passThroughOptions()
    .description('run a test command whose workers each have a database of their own')
    .addHelpText(
      'after',
      '\nExamples:\n  $ lockage test --parallel 4 -- npx vitest run\n  $ lockage test -p 16 --per test -- node --test',
    )
    .action(async (argv, flags) => (await import('./commands/test.ts')).testCommand(argv, flags, interrupt()));
}
