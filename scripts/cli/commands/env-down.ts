import { LockageError } from '../../../pipelines/errors.ts';
import { perform } from '../../../pipelines/operations/perform.ts';
import { removalCommand } from '../../../pipelines/planning/plan-reproduction.ts';
import { didYouMean } from '../../../pipelines/text/suggest.ts';
import { withReproductionLock } from '../../project/reproduction-lock.ts';
import {
  listReproductions,
  removeReproduction,
  reproductionsRoot,
  type FoundReproduction,
} from '../../project/reproductions.ts';
import { Redactor } from '../../tools/redactor.ts';
import { lifeOn } from '../environment-life.ts';
import { openReproduction } from '../open-context.ts';
import { waitOf, type Flags } from '../options.ts';
import { runIn } from '../run-command.ts';
import { ConsoleTerminal } from '../terminal.ts';

/** Runs `lockage env down`. */
export async function envDownCommand(name: string, flags: Flags, signal: AbortSignal): Promise<void> {
  const { wait } = waitOf(flags);
  // Who waits, waits for what is being made, too.
  if (wait === undefined) await foundNamed(name);
  const root = await reproductionsRoot(process.cwd());
  const work = async () => takeDown(await foundNamed(name), flags, signal);
  await withReproductionLock(root, name, work, { wait, signal });
}

async function takeDown(found: FoundReproduction, flags: Flags, signal: AbortSignal): Promise<void> {
  const { folder, reproduction } = found;
  const { name } = reproduction;
  const life = await lifeOn(found);
  const host = reproduction.host.name;
  if (life?.kind === 'silent') {
    throw new LockageError(`${host} does not answer: nothing of ${name} was removed`, {
      details: [life.error],
      hint: `It removes that by itself when its time is over. Run the same command again when it answers; if it never does, remove ${folder}.`,
    });
  }
  if (life?.kind === 'gone' || life?.kind === 'absent') {
    await removeReproduction(folder);
    const { json = false, yes = false } = flags;
    const terminal = new ConsoleTerminal({ json, yes, redactor: new Redactor(), signal });
    const line = `nothing of ${name} was left on ${host}, and its record is gone`;
    return terminal.result({ outcome: 'gone', environment: name }, [line]);
  }
  await runIn(await openReproduction(found, flags, signal), async (context) => {
    await perform(context, 'destroy', { environment: name, withData: true }, waitOf(flags));
    await removeReproduction(folder);
    context.terminal.result({ outcome: 'destroyed', environment: name }, [`${name} is gone from ${host}`]);
  });
}

/** Returns the environment with a time of that name. Throws LockageError (refused). */
async function foundNamed(name: string): Promise<FoundReproduction> {
  const all = await listReproductions(process.cwd());
  const found = all.find(({ reproduction }) => reproduction.name === name);
  if (found?.reproduction.time) return found;
  if (found) {
    throw new LockageError(`${name} is a reproduction that stays`, {
      hint: `\`${removalCommand(found.reproduction)}\` removes it.`,
    });
  }
  const names = all.filter(({ reproduction }) => reproduction.time).map(({ reproduction }) => reproduction.name);
  throw new LockageError(`there is no environment ${name} with a time${didYouMean(name, names)}`, {
    hint: '`lockage env ls` lists them.',
  });
}
