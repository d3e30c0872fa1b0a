import { InterruptedError, LockageError } from '../../pipelines/errors.ts';
import { ExitCode } from './exit-codes.ts';
import { setMaxListeners } from 'node:events';
import { Option, type Command } from 'commander';

/** What several commands of the command line have in common. */
export const json = () => new Option('--json', 'print one JSON document for machines');
export const yes = () => new Option('-y, --yes', 'do not ask for confirmation');
const planOption = () => new Option('--plan', 'show what would happen, container by container, and stop');
export const reason = () => new Option('--reason <text>', 'why; recorded with the revision');

/** What every command takes that makes a revision. */
export function revisionOptions(command: Command): Command {
  return command.addOption(planOption()).addOption(reason()).addOption(yes()).addOption(json());
}

/** What a flow is asked for, of these options. */
export function requestOf(flags: { readonly reason?: string; readonly plan?: boolean }) {
  return {
    ...(flags.reason ? { reason: flags.reason } : {}),
    ...(flags.plan ? { planOnly: true } : {}),
  };
}

/** The first SIGINT or SIGTERM asks the running operation to stop at its next safe point; a second one ends it. */
export function interrupt(): AbortSignal {
  const controller = new AbortController();
  // Every host of every step listens to it; that is no leak.
  setMaxListeners(0, controller.signal);
  let asked = false;
  const stop = () => {
    if (asked) process.exit(ExitCode.interrupted);
    asked = true;
    process.stderr.write('stopping at the next safe point; once more to stop at once (see `lockage status` then)\n');
    controller.abort(new InterruptedError('interrupted', {}));
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  process.on('SIGHUP', stop);
  return controller.signal;
}

/** Options that every command takes. */
export interface Flags {
  readonly json?: boolean;
  readonly yes?: boolean;
  readonly plan?: boolean;
  readonly reason?: string;
}

/** A whole number of at least 1. Throws LockageError naming the option. */
export function countOf(text: string, option: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new LockageError(`${option} takes a number of at least 1, not ${JSON.stringify(text)}`);
}
