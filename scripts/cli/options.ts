import { Option, type Command } from 'commander';
import { parseDuration } from '../../pipelines/config/schema/units.ts';
import { LockageError } from '../../pipelines/errors.ts';
import type { PerformOptions } from '../../pipelines/operations/perform.ts';

/** Options that several commands have in common. */
export const json = () => new Option('--json', 'print one JSON document for machines');
export const yes = () => new Option('-y, --yes', 'do not ask for confirmation');
export const planOption = () => new Option('--plan', 'show what would happen, container by container, and stop');
export const reason = () => new Option('--reason <text>', 'why; recorded with the revision');

export const forceSchema = () =>
  new Option('--force-schema <reason>', 'although its code may not run with the data, and why; recorded');
export const skipHooks = () => new Option('--skip-hooks', 'run none of the programs in the folder hooks');

export const wait = () =>
  new Option('--wait [duration]', 'wait while somebody else has the environment, as 30s or 5m').preset('10m');

/** Adds the options of every command that makes a revision. */
export function revisionOptions(command: Command): Command {
  return command
    .addOption(planOption())
    .addOption(reason())
    .addOption(wait())
    .addOption(skipHooks())
    .addOption(yes())
    .addOption(json());
}

/** Returns for how long a command waits for somebody else. Throws LockageError. */
export function waitOf({ wait: text }: { readonly wait?: string }): PerformOptions {
  if (text === undefined) return {};
  const milliseconds = parseDuration(text);
  if (milliseconds !== undefined) return { wait: milliseconds };
  throw new LockageError(`--wait takes a duration, not ${JSON.stringify(text)}`, {
    hint: 'Write it as 30s, 5m or 1h behind the other arguments, or say `--wait` alone for 10 minutes.',
  });
}

/** Returns the part of a flow's request that these options give. */
export function requestOf(flags: { readonly reason?: string; readonly plan?: boolean; readonly forceSchema?: string }) {
  return {
    ...(flags.forceSchema ? { forceSchema: flags.forceSchema } : {}),
    ...(flags.reason ? { reason: flags.reason } : {}),
    ...(flags.plan ? { planOnly: true } : {}),
  };
}

/** Options that every command takes. */
export interface Flags {
  readonly json?: boolean;
  readonly yes?: boolean;
  readonly plan?: boolean;
  readonly reason?: string;
  readonly forceSchema?: string;
  /** a duration */
  readonly wait?: string;
  readonly skipHooks?: boolean;
}

/** Parses a whole number of at least 1. Throws LockageError naming the option. */
export function countOf(text: string, option: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new LockageError(`${option} takes a number of at least 1, not ${JSON.stringify(text)}`);
}

/** Parses a whole number. Throws LockageError naming the option. */
export function numberOf(text: string, option: string): number {
  if (/^(0|[1-9]\d{0,8})$/.test(text)) return Number(text);
  throw new LockageError(`${option} takes a number, not ${JSON.stringify(text)}`);
}
