import type { EnvironmentStatus } from '../../../pipelines/inspection/status.ts';
import {
  listReproductions,
  removeReproduction,
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
  const all = await listReproductions(process.cwd());
  const asked = await Promise.all(all.map(async (found) => ({ found, life: await lifeOn(found) })));
  const timed = asked.flatMap(({ found, life }) => (life ? [{ found, life }] : []));
  const rows = await Promise.all(timed.map((each) => rowOf(each, signal)));
  const gone = timed.filter(({ life }) => life.kind === 'gone');
  for (const { found } of gone) await removeReproduction(found.folder);
  const shown = { rows: rows.filter((row) => row !== undefined), gone: gone.map(({ found }) => found.reproduction) };
  const terminal = new ConsoleTerminal({ json: flags.json ?? false, yes: true, redactor: new Redactor(), signal });
  terminal.result(environmentsJson(shown), environmentsLines(shown, Date.now(), process.stdout.columns));
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
  const status = isThere ? await statusFound({ folder, reproduction }, signal) : undefined;
  return { reproduction, life, ...(status ? { status } : {}) };
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
