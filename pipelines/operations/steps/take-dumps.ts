import type { Environment } from '../../model/environment.ts';
import { currentRevision, type EnvironmentRecord } from '../../model/ledger.ts';
import { accessoryNamed } from '../../model/pipeline.ts';
import type { DataDump, PlannedRevision } from '../../model/revision.ts';
import { schemaOf } from '../../model/schema.ts';
import { keptDumps, knownDumps } from '../../planning/kept-dumps.ts';
import type { Context } from '../ports.ts';

/** A migration that is about to run. */
export interface Step {
  readonly environment: Environment;
  readonly record: EnvironmentRecord;
  readonly revision: PlannedRevision;
}

/**
 * Takes the dumps that are configured, before a migration changes the data. Where one before it may have changed them already and did
 * not end well, what was dumped before that one stays, and is what is gone back to. Returns all that are known then. Throws
 * LockageError.
 */
export async function takeDumps(context: Context, step: Step): Promise<readonly DataDump[]> {
  const { environment, record } = step;
  const { dump = [], keep = 0 } = environment.migration ?? {};
  const { dumps: known = [] } = record.ledger;
  // What was never served has no data that anybody would go back to.
  if (dump.length === 0 || !currentRevision(record.ledger)) return known;
  const all: DataDump[] = [];
  for (const name of dump) {
    const taken = await takeDump(context, step, { name, keep });
    // Those of an attempt before this one, at the same revision, were written over or are older.
    const own = [...known.filter(({ accessory }) => accessory === name), ...(taken ? [taken] : [])];
    all.push(...keptDumps(own, keep));
  }
  return all;
}

async function takeDump(
  context: Context,
  { environment, record, revision: { number, release } }: Step,
  { name, keep }: { readonly name: string; readonly keep: number },
): Promise<DataDump | undefined> {
  const { unsettled, needed } = knownDumps(record, name, keep);
  context.terminal.step('dump', `${name}, before ${release.version}`);
  const [first] = unsettled;
  if (first) {
    const why = `the migration of ${first.version} did not end well, and may have changed the data of ${name}`;
    context.terminal.note(`${why}: ${first.file} is from before it, and stays`);
  }
  const place = { environment, accessory: accessoryNamed(environment, name) };
  const file = `${name}-r${number}-before-${release.version}`;
  const made = await context.dumps.take(place, file, { keep, needed });
  if (!made) return undefined;
  const schema = schemaOf(record) ?? { version: 0, compatible: 0, release: '', revision: 0 };
  return {
    ...{ accessory: name, ...made, revision: number, version: release.version, schema, actor: context.actor },
    at: new Date(context.now()).toISOString(),
    ...(first ? { doubtful: true } : {}),
  };
}
