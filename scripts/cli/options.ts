import { Option, type Command } from 'commander';
import { LockageError } from '../../pipelines/errors.ts';

/** Options that several commands have in common. */
export const json = () => new Option('--json', 'print one JSON document for machines');
export const yes = () => new Option('-y, --yes', 'do not ask for confirmation');
export const planOption = () => new Option('--plan', 'show what would happen, container by container, and stop');
export const reason = () => new Option('--reason <text>', 'why; recorded with the revision');

/** Adds the options of every command that makes a revision. */
export function revisionOptions(command: Command): Command {
  return command.addOption(planOption()).addOption(reason()).addOption(yes()).addOption(json());
}

/** Returns the part of a flow's request that these options give. */
export function requestOf(flags: { readonly reason?: string; readonly plan?: boolean }) {
  return {
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
}

/** Parses a whole number of at least 1. Throws LockageError naming the option. */
export function countOf(text: string, option: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new LockageError(`${option} takes a number of at least 1, not ${JSON.stringify(text)}`);
}
