import { Option, type Command } from 'commander';
import { json } from './options.ts';

/** Adds `lockage audit` and what is below it. */
export function addAuditCommands(program: Command, interrupt: () => AbortSignal): void {
  const audit = program
    .command('audit')
    .description('who changed what, when, and how it ended: one log for all who share the backend')
    .helpCommand(false)
    .option('-e, --env <environment>', 'only what is about this one')
    .option('-n, --limit <count>', 'how many operations', '20')
    .addOption(json())
    .action(async (flags) => (await import('./commands/audit.ts')).auditCommand(flags, interrupt()));

  audit
    .command('verify')
    .description('whether the log is whole, and all that states and hosts know of it is there; ends with 5 when not')
    .option('--offline', 'ask no host')
    .addOption(json())
    .action(async (flags, command: Command) =>
      (await import('./commands/audit.ts')).auditVerifyCommand(withParent(flags, command), interrupt()),
    );

  audit
    .command('export')
    .description('print the whole log')
    .addOption(
      new Option('--format <format>', 'jsonl: the very lines, with hashes; csv: for tables')
        .choices(['jsonl', 'csv'])
        .default('jsonl'),
    )
    .action(async (flags) => (await import('./commands/audit.ts')).auditExportCommand(flags, interrupt()));

  audit
    .command('accept')
    .requiredOption('--reason <text>', 'what happened to the log; kept in it')
    .description('go on with a log that lacks something; `audit verify` says so for good')
    .addOption(json())
    .addHelpText(
      'after',
      '\nExample:\n  $ lockage audit accept --reason "the backend was put back from the copy of Monday"',
    )
    .action(async (flags, command: Command) =>
      (await import('./commands/audit.ts')).auditAcceptCommand(withParent(flags, command), interrupt()),
    );
}

/** `audit` knows `--json` too, and takes it from those below it. */
function withParent<F extends { readonly json?: boolean }>(flags: F, command: Command): F {
  return { ...flags, ...(command.parent?.opts<{ json?: boolean }>().json ? { json: true } : {}) };
}
