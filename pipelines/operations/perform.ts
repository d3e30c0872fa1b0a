import {
  BrokenError,
  InterruptedError,
  isRefusal,
  LockageError,
  LockedError,
  NotStartedError,
  RolledBackError,
  StoppedError,
} from '../errors.ts';
import { backUpAccessory, restartAccessory, restoreAccessory } from './accessory.ts';
import { adopt } from './adopt.ts';
import { approve } from './approve.ts';
import { archive } from './archive.ts';
import { block, unblock } from './block.ts';
import { buildMachineImages } from './build-machine-images.ts';
import { cordon } from './cordon.ts';
import { destroy } from './destroy.ts';
import { drill } from './drill.ts';
import { heal } from './heal.ts';
import { observed } from './observe.ts';
import type { Context } from './ports.ts';
import { promote } from './promote.ts';
import { prune } from './prune.ts';
import { pushReleases } from './push-releases.ts';
import { release } from './release.ts';
import { removeHost } from './remove-host.ts';
import { replaceMachines } from './replace-machines.ts';
import { reproduce } from './reproduce.ts';
import { resume } from './resume.ts';
import { rollback } from './rollback.ts';
import { scale } from './scale.ts';
import { startMachines } from './start-machines.ts';
import { AuditTrail } from './steps/audit-trail.ts';
import { factsOf } from './steps/audit-facts.ts';
import { whenUnlocked } from './steps/wait-for-lock.ts';
import { watchChanges, type Progress } from './steps/watch-changes.ts';
import { uncordon } from './uncordon.ts';
import { unlock } from './unlock.ts';
import { unlockRecords } from './unlock-records.ts';
import { verify } from './verify.ts';

/** Everything that changes something. */
const operations = {
  release,
  promote,
  rollback,
  drill,
  resume,
  block,
  unblock,
  approve,
  scale,
  cordon,
  uncordon,
  destroy,
  archive,
  removeHost,
  unlock,
  unlockRecords,
  verify,
  adopt,
  heal,
  buildMachineImages,
  replaceMachines,
  startMachines,
  restartAccessory,
  backUpAccessory,
  restoreAccessory,
  prune,
  pushReleases,
  reproduce,
};

export type OperationName = keyof typeof operations;
export type RequestOf<Name extends OperationName> = Parameters<(typeof operations)[Name]>[1];
export type ResultOf<Name extends OperationName> = Awaited<ReturnType<(typeof operations)[Name]>>;

/**
 * Carries out an operation. Every one passes here, so that what holds for all of them has one place: whether anything was
 * changed by the time it failed is known from the calls that were made, and not from the error; and the audit log has an intent
 * before the first of them, and an outcome. Throws LockageError.
 */
export async function perform<Name extends OperationName>(
  context: Context,
  name: Name,
  request: RequestOf<Name>,
  options: PerformOptions = {},
): Promise<ResultOf<Name>> {
  return observed(context, name, request, () => carryOut(context, name, request, options));
}

async function carryOut<Name extends OperationName>(
  context: Context,
  name: Name,
  request: RequestOf<Name>,
  { wait }: PerformOptions,
): Promise<ResultOf<Name>> {
  const run = operations[name] as unknown as (context: Context, request: RequestOf<Name>) => Promise<ResultOf<Name>>;
  const attempt = async (freeAt?: number): Promise<ResultOf<Name>> => {
    const trail = new AuditTrail(context, name, factsOf(request), 'planOnly' in request && request.planOnly);
    const watched = watchChanges(context, trail);
    // What a person waited for somebody else says nothing of how long an operation takes.
    const counted = freeAt !== undefined && 'startedAt' in request ? { ...request, startedAt: freeAt } : request;
    try {
      const result = await run(watched.context, counted);
      await trail.end({ result });
      return result;
    } catch (caught) {
      const error = honestError(caught, watched.progress(), context.signal.aborted);
      await trail.end({ error });
      throw error;
    }
  };
  if (wait === undefined || !('environment' in request)) return attempt();
  return whenUnlocked(context, { environment: request.environment, wait }, attempt);
}

/** The options of an operation. */
export interface PerformOptions {
  /** milliseconds for which it waits while somebody else has its environment; absent: it is refused then */
  readonly wait?: number;
}

/** Returns the error that says what is true: a step that refuses to go on knows nothing of those before it. */
function honestError(error: unknown, progress: Progress, interrupted: boolean): unknown {
  const isStopped = error instanceof StoppedError || (interrupted && !(error instanceof LockageError));
  if (isStopped) return interruptedError(error, progress);
  if (isOfSystem(error) && progress !== 'nothing') return systemError(error, progress);
  if (!isRefusal(error) || progress === 'nothing') return error;
  // Who is locked out may try again later, whatever was made beside what serves.
  if (error instanceof LockedError && progress !== 'changed') return error;
  if (progress === 'prepared' && error instanceof NotStartedError) return error;
  const options = { details: error.details, hint: error.hint, cause: error };
  // What was made beside stays for the next try, and serves nobody.
  return progress === 'prepared'
    ? new RolledBackError(error.message, options)
    : new BrokenError(error.message, { ...options, hint: error.hint ?? lookAtStatus });
}

const lookAtStatus = 'Run `lockage status` to see what runs where, then the same command again.';

/** Returns whether the system of this computer refused something, such as to write to a full disk. */
function isOfSystem(error: unknown): error is Error {
  return error instanceof Error && !(error instanceof LockageError) && 'syscall' in error;
}

function systemError(cause: Error, progress: Progress): LockageError {
  return progress === 'prepared'
    ? new RolledBackError(cause.message, { cause })
    : new BrokenError(cause.message, { hint: lookAtStatus, cause });
}

/**
 * Makes the error of an operation that was stopped. What a step throws that was stopped in the middle says nothing of
 * what it had done.
 */
function interruptedError(cause: unknown, progress: Progress): LockageError {
  if (progress !== 'changed') return new InterruptedError('interrupted: what serves was not changed', { cause });
  return new BrokenError('interrupted in the middle of a change', { hint: lookAtStatus, cause });
}
