import { BrokenError, InterruptedError, LockageError } from '../errors.ts';
import { cordon } from './cordon.ts';
import { destroy } from './destroy.ts';
import type { Context } from './ports.ts';
import { promote } from './promote.ts';
import { release } from './release.ts';
import { removeHost } from './remove-host.ts';
import { replaceMachines } from './replace-machines.ts';
import { resume } from './resume.ts';
import { rollback } from './rollback.ts';
import { scale } from './scale.ts';
import { watchChanges } from './steps/watch-changes.ts';
import { uncordon } from './uncordon.ts';
import { unlock } from './unlock.ts';

/** Everything that changes something. */
const operations = {
  release,
  promote,
  rollback,
  resume,
  scale,
  cordon,
  uncordon,
  destroy,
  removeHost,
  unlock,
  replaceMachines,
};

export type OperationName = keyof typeof operations;
export type RequestOf<Name extends OperationName> = Parameters<(typeof operations)[Name]>[1];
export type ResultOf<Name extends OperationName> = Awaited<ReturnType<(typeof operations)[Name]>>;

/**
 * Carries out an operation. Every one passes here, so that what holds for all of them has one place: whether anything was
 * changed by the time it failed is known from the calls that were made, and not from the error. Throws LockageError.
 */
export async function perform<Name extends OperationName>(
  context: Context,
  name: Name,
  request: RequestOf<Name>,
): Promise<ResultOf<Name>> {
  const run = operations[name] as unknown as (context: Context, request: RequestOf<Name>) => Promise<ResultOf<Name>>;
  const watched = watchChanges(context);
  try {
    return await run(watched.context, request);
  } catch (error) {
    throw context.signal.aborted && !(error instanceof LockageError) ? interrupted(watched.touched(), error) : error;
  }
}

/** What a step throws that was stopped in the middle says nothing of what it had done. */
function interrupted(touched: boolean, cause: unknown): LockageError {
  if (!touched) return new InterruptedError('interrupted: nothing was changed', { cause });
  return new BrokenError('interrupted in the middle of a change', {
    hint: 'Run `lockage status` to see what runs where, then the same command again.',
    cause,
  });
}
