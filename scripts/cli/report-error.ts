import type { CommanderError } from 'commander';
import { systemError } from '../../infra/system/system-error.ts';
import { LockageError } from '../../pipelines/errors.ts';
import { Redactor } from '../tools/redactor.ts';
import { ExitCode, exitCodeOf } from './exit-codes.ts';
import { ConsoleTerminal } from './terminal.ts';

/**
 * Prints an error of a command that opened no project, and so read no secret, and returns the exit code. A user's mistake
 * has no stack trace; a bug of ours shows one.
 */
export function reportError(thrown: unknown, json: boolean): number {
  const error = systemError(thrown) ?? thrown;
  const terminal = new ConsoleTerminal({ json, yes: false, redactor: new Redactor() });
  if (!(error instanceof LockageError)) {
    terminal.bug(error);
    return ExitCode.bug;
  }
  terminal.error(error);
  return exitCodeOf(error);
}

/**
 * Returns the exit code of a command line that was not understood, and so has changed nothing, or only asked for help.
 * Commander has said on stderr what was wrong.
 */
export function reportWords({ code, exitCode, message }: CommanderError, json: boolean): number {
  if (exitCode === 0) return ExitCode.ok;
  const terminal = new ConsoleTerminal({ json, yes: false, redactor: new Redactor() });
  const said = code === 'commander.help' ? 'no command was named' : message.replace(/^error: /, '');
  if (json) terminal.result({ error: { message: said, code: ExitCode.refused, details: [] } }, []);
  return ExitCode.refused;
}
