import { Option, type Command } from 'commander';
import { json } from './options.ts';

/** Adds `lockage why`, `block` and `unblock`: what keeps releases out of environments. */
export function addGateCommands(program: Command, interrupt: () => AbortSignal): void {
  program
    .command('why')
    .argument('<version>', 'a recorded release')
    .requiredOption('-e, --to <environment>', 'where to')
    .description('every gate before an environment, met or not; ends with 2 when the release may not enter')
    .addOption(json())
    .action(async (version, flags) => (await import('./commands/why.ts')).whyCommand(version, flags, interrupt()));

  program
    .command('block')
    .argument('<version>', 'a recorded release')
    .addOption(new Option('--reason <text>', 'why; shown to whoever is refused').makeOptionMandatory())
    .description('keep a release out of every environment; where it runs, it goes on')
    .addOption(json())
    .addHelpText('after', '\nExample:\n  $ lockage block 1.4.0 --reason "loses orders when the queue is full"')
    .action(async (version, flags) => (await import('./commands/block.ts')).blockCommand(version, flags, interrupt()));

  addApprovals(program, interrupt);

  program
    .command('unblock')
    .argument('<version>')
    .description('let a blocked release in again')
    .addOption(json())
    .action(async (version, flags) =>
      (await import('./commands/block.ts')).unblockCommand(version, flags, interrupt()),
    );
}

function addApprovals(program: Command, interrupt: () => AbortSignal): void {
  program
    .command('approve')
    .argument('<version>', 'a recorded release')
    .requiredOption('-e, --to <environment>', 'where to')
    .option('--reason <text>', 'why; signed with it')
    .option('--older', 'authorise that it comes in although a later one has run there')
    .description('sign that a release may enter an environment as it is configured now; the key says who you are')
    .addOption(json())
    .action(async (version, flags) =>
      (await import('./commands/approve.ts')).approveCommand(version, { ...flags, decision: 'approved' }, interrupt()),
    );

  program
    .command('reject')
    .argument('<version>', 'a recorded release')
    .requiredOption('-e, --to <environment>', 'where to')
    .addOption(new Option('--reason <text>', 'why; shown to whoever is refused').makeOptionMandatory())
    .description('sign that a release may not enter an environment, until you approve it')
    .addOption(json())
    .action(async (version, flags) =>
      (await import('./commands/approve.ts')).approveCommand(version, { ...flags, decision: 'rejected' }, interrupt()),
    );
}
