import {
  BrokenError,
  InterruptedError,
  isRefusal,
  LockageError,
  LockedError,
  messageOf,
  OvertakenError,
  PartialError,
  RolledBackError,
} from '../../pipelines/errors.ts';
import { environmentNamed } from '../../pipelines/model/pipeline.ts';
import { perform, type ResultOf } from '../../pipelines/operations/perform.ts';
import { reproducedRelease } from '../../pipelines/planning/plan-reproduction.ts';
import { clockText } from '../tools/format.ts';
import type { CommandContext } from './open-context.ts';
import { waitOf, type Flags } from './options.ts';
import { isNothingThere, type Prepared } from './prepare-reproduction.ts';

/**
 * Brings an environment with a time up: first what removes it from its host when its time is over, so that whatever ends this command
 * leaves nothing there for good; then the release. What fails is taken back, all of it where the environment is new. Throws LockageError.
 */
export async function bringUp(
  context: CommandContext,
  prepared: Prepared,
  flags: Flags,
): Promise<ResultOf<'reproduce'>> {
  const { found, undo } = prepared;
  const { name, time, host } = found.reproduction;
  let hasBegun = false;
  const begin = async () => {
    hasBegun = true;
    if (!time) return;
    context.terminal.step('time', `until ${clockText(time.until * 1000, Date.now())}, by the clock of ${host.name}`);
    await context.reaper.ensure(name, time.until);
  };
  const request = {
    environment: name,
    release: reproducedRelease(found.reproduction),
    begin,
    ...(flags.plan ? { planOnly: true } : {}),
  };
  try {
    const result = await perform(context, 'reproduce', request, waitOf(flags));
    if (result.outcome === 'planned') await undo();
    return result;
  } catch (error) {
    if (hasBegun) throw await takeBack(context, prepared, error);
    await undo();
    throw error;
  }
}

/** Takes back what was begun. Returns the error that says what is true then. */
async function takeBack(context: CommandContext, prepared: Prepared, error: unknown): Promise<unknown> {
  // Somebody else is at work on the same environment: what is there is theirs.
  if (error instanceof LockedError || error instanceof OvertakenError) return error;
  try {
    return prepared.before ? await putBack(context, prepared, error) : await removeNew(context, prepared, error);
  } catch (failure) {
    const { name, host } = prepared.found.reproduction;
    context.terminal.note(`${name} was not taken back: ${messageOf(failure)}; ${host.name} removes it after its time`);
    return error;
  }
}

/** Gives an environment that serves what it served before its time of before. */
async function putBack(context: CommandContext, { before, found, undo }: Prepared, error: unknown): Promise<unknown> {
  const wentBack = isRefusal(error) || error instanceof InterruptedError || error instanceof RolledBackError;
  if (!wentBack) return error;
  await undo();
  if (before?.time) await context.reaper.ensure(found.reproduction.name, before.time.until);
  return error;
}

async function removeNew(context: CommandContext, { found, undo }: Prepared, error: unknown): Promise<unknown> {
  const { name, host } = found.reproduction;
  const environment = environmentNamed(context.project, name);
  for (const inventory of await context.removal.inventory(environment, environment.hosts)) {
    await context.removal.remove(inventory, true);
  }
  if (!(await isNothingThere(context, found.reproduction)))
    throw new LockageError(`something of it is on ${host.name}`);
  await undo();
  context.terminal.note(`${name} was taken back: nothing of it is on ${host.name}`);
  if (!(error instanceof BrokenError || error instanceof PartialError)) return error;
  return new RolledBackError(error.message, { details: error.details, hint: error.hint, cause: error });
}
