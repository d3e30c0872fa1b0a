import { BrokenError, LockedError, NotStartedError, type LockageError } from '../../pipelines/errors.ts';
import { isCommonStack } from './stack-names.ts';
import { lastLines } from './state.ts';

export class PulumiError extends Error {}

/** Returns what a user can act on of an error of Pulumi; any other error as it is. */
export function translate(error: unknown, name: string): unknown {
  return error instanceof PulumiError ? pulumiFailed(name, error.message) : error;
}

function pulumiFailed(name: string, output: string): LockageError {
  const holder = lockHolder(output);
  if (holder) {
    const who = `${holder.user}@${holder.machine} (process ${holder.pid})`;
    return new LockedError(`${name} is being changed by ${who} since ${holder.since}`, { hint: hintOf(name) });
  }
  // Pulumi's service keeps its own locks, and does not say by whom.
  if (/Another update is currently in progress/.test(output)) {
    return new LockedError(`${name} is being changed by somebody else`, { hint: hintOf(name) });
  }
  if (/incorrect passphrase/.test(output)) {
    return new NotStartedError(`the passphrase does not open the state of ${name}`, {
      details: [
        'PULUMI_CONFIG_PASSPHRASE, or .lockage/passphrase where that is not set, is not the one it was made with',
      ],
      hint: 'Ask whoever made the environment for its passphrase.',
    });
  }
  return new BrokenError(`Pulumi could not change ${name}`, { details: lastLines(output, 15) });
}

function hintOf(name: string): string {
  const lift = isCommonStack(name)
    ? '`lockage unlock --records`'
    : `\`pulumi cancel --stack ${name}\` with the project's backend`;
  return `Try again when it has finished. If that process is gone for good: ${lift}.`;
}

export interface LockHolder {
  readonly user: string;
  readonly machine: string;
  readonly pid: number;
  /** as Pulumi writes it */
  readonly since: string;
}

/** Returns who holds Pulumi's lock, from its output; undefined when nobody does. */
export function lockHolder(output: string): LockHolder | undefined {
  const found = /created by ([^@\s]+)@(\S+) \(pid (\d+)\) at (\S+)/.exec(output);
  if (!found) return undefined;
  const [, user = '', machine = '', pid = '', since = ''] = found;
  return { user, machine, pid: Number(pid), since };
}
