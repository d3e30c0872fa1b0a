import { InterruptedError, LockageError, LockedError } from '../../../pipelines/errors.ts';
import type { EnvironmentStatus } from '../../../pipelines/inspection/status.ts';
import { withReproductionLock } from '../../project/reproduction-lock.ts';
import {
  findReproduction,
  listReproductions,
  removeReproduction,
  reproductionsRoot,
  writeReproduction,
  type FoundReproduction,
} from '../../project/reproductions.ts';
import { Redactor } from '../../tools/redactor.ts';
import { lifeOn, type FoundLife } from '../environment-life.ts';
import { openReproduction } from '../open-context.ts';
import type { Flags } from '../options.ts';
import { ConsoleTerminal } from '../terminal.ts';
import { environmentsJson, environmentsLines } from '../views/environments.ts';
import { statusOf } from './status.ts';

/** Runs `lockage env ls`. The record of what is gone goes with it. */
export async function envListCommand(flags: Flags, signal: AbortSignal): Promise<void> {
  const terminal = new ConsoleTerminal({ json: flags.json ?? false, yes: true, redactor: new Redactor(), signal });
  const all = await listReproductions(process.cwd(), ({ message }) => terminal.note(message));
  const asked = await Promise.all(all.map(async (found) => ({ found, life: await lifeOn(found) })));
  const timed = asked.flatMap(({ found, life }) => (life ? [{ found, life }] : []));
  const rows = await Promise.all(timed.map((each) => rowOf(each, signal)));
  const gone = timed.filter(({ life }) => life.kind === 'gone');
  for (const { found } of gone) await forget(found);
  const shown = { rows: rows.filter((row) => row !== undefined), gone: gone.map(({ found }) => found.reproduction) };
  terminal.result(environmentsJson(shown), environmentsLines(shown, Date.now(), process.stdout.columns));
}

/** Forgets what is gone, unless another command makes it again. */
async function forget({ reproduction: { name } }: FoundReproduction): Promise<void> {
  const cwd = process.cwd();
  const work = async () => {
    const found = await findReproduction(cwd, name);
    if (found && (await lifeOn(found))?.kind === 'gone') await removeReproduction(found.folder);
  };
  await withReproductionLock(await reproductionsRoot(cwd), name, work).catch((error: unknown) => {
    if (!(error instanceof LockedError)) throw error;
  });
}

interface Timed {
  readonly found: FoundReproduction;
  readonly life: FoundLife;
}

async function rowOf({ found, life }: Timed, signal: AbortSignal) {
  if (life.kind === 'gone') return undefined;
  const { folder } = found;
  const reproduction = await asHostSays(found, life);
  const isThere = life.kind === 'up' || life.kind === 'stays';
  if (!isThere) return { reproduction, life };
  try {
    const status = await statusFound({ folder, reproduction }, signal);
    return { reproduction, life, ...(status ? { status } : {}) };
  } catch (error) {
    // One whose record is damaged hides no other one.
    if (!(error instanceof LockageError) || error instanceof InterruptedError) throw error;
    return { reproduction, life, error: [error.message, ...error.details] };
  }
}

/** What counts is the deadline that the host has: a killed command may have got no further than that, or than its record. */
async function asHostSays({ folder, reproduction }: FoundReproduction, { kind, until }: FoundLife) {
  const { time } = reproduction;
  if (kind !== 'up' || !time || time.until === until) return reproduction;
  const changed = { ...reproduction, time: { ...time, until } };
  await writeReproduction({ folder, reproduction: changed });
  return changed;
}

async function statusFound(found: FoundReproduction, signal: AbortSignal): Promise<EnvironmentStatus | undefined> {
  const context = await openReproduction(found, { keyless: true, yes: true }, signal);
  const [status] = await statusOf(context).finally(() => context.connections.close());
  return status;
}
