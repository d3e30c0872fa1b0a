import type { Environment } from '../../model/environment.ts';
import { currentRevision, type EnvironmentRecord } from '../../model/ledger.ts';
import { accessoryNamed } from '../../model/pipeline.ts';
import type { DataDump, PlannedRevision } from '../../model/revision.ts';
import { schemaOf } from '../../model/schema.ts';
import type { Context } from '../ports.ts';

/** A migration that is about to run. */
export interface Step {
  readonly environment: Environment;
  readonly record: EnvironmentRecord;
  readonly revision: PlannedRevision;
}

/** Takes the dumps that are configured, before a migration changes the data. Returns all that are known then. Throws LockageError. */
export async function takeDumps(context: Context, step: Step): Promise<readonly DataDump[]> {
  const { environment, record, revision } = step;
  const { dump = [], keep = 0 } = environment.migration ?? {};
  const { dumps: known = [] } = record.ledger;
  // What was never served has no data that anybody would go back to.
  if (dump.length === 0 || !currentRevision(record.ledger)) return known;
  const taken: DataDump[] = [];
  for (const name of dump) {
    context.terminal.step('dump', `${name}, before ${revision.release.version}`);
    const place = { environment, accessory: accessoryNamed(environment, name) };
    const made = await context.dumps.take(
      place,
      `${name}-r${revision.number}-before-${revision.release.version}`,
      keep,
    );
    if (!made) continue;
    const { number, release } = revision;
    const schema = schemaOf(record) ?? { version: 0, compatible: 0, release: '', revision: 0 };
    taken.push({
      ...{ accessory: name, ...made, revision: number, version: release.version, schema, actor: context.actor },
      at: new Date(context.now()).toISOString(),
    });
  }
  // Those of an attempt before this one, at the same revision, were written over or are older.
  return dump.flatMap((name) =>
    [...known.filter(({ accessory }) => accessory === name), ...ofName(taken, name)].slice(-keep),
  );
}

const ofName = (dumps: readonly DataDump[], name: string) => dumps.filter(({ accessory }) => accessory === name);
