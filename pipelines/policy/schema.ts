import { LockageError } from '../errors.ts';
import type { Gate } from '../model/gate.ts';
import { currentRevision, type EnvironmentRecord } from '../model/ledger.ts';
import type { Release } from '../model/release.ts';
import type { DataDump, DataSchema } from '../model/revision.ts';
import { runsWith, schemaOf } from '../model/schema.ts';
import { whenText } from '../text/moment.ts';

/** A release before an environment's data. */
export interface SchemaInputs {
  readonly environment: string;
  readonly release: Release;
  readonly record: EnvironmentRecord;
  /** why it comes there although its code may not run with the data */
  readonly force?: string | undefined;
}

/** Returns the gate that the schema of an environment's data is; nothing where no release has declared one. */
export function schemaGate({ environment, release, record, force }: SchemaInputs): Gate[] {
  const gate = 'schema';
  const data = schemaOf(record);
  if (!data && release.schema === undefined) return [];
  const { version } = release;
  const serves = currentRevision(record.ledger)?.release.digest === release.digest;
  if (!data || serves || runsWith(release, data)) {
    return [{ gate, met: true, text: `${version} runs with the data of ${environment}` }];
  }
  const text = stepText(environment, release, data);
  if (force !== undefined) return [{ gate, met: true, text: `${text}; forced: ${force}` }];
  return [{ gate, met: false, text, remedy: waysOut(environment, release, record, data).join(' ') }];
}

/** Refuses to go back to a release whose code does not run with the data of today. Throws LockageError with the ways out. */
export function refuseSchema({ environment, release, record, force }: SchemaInputs): void {
  const data = schemaOf(record);
  if (!data || force !== undefined || runsWith(release, data)) return;
  throw new LockageError(
    `${environment} cannot go back to ${release.version}: its code does not run with the data of today`,
    {
      details: [stepText(environment, release, data)],
      hint: waysOut(environment, release, record, data).join(' '),
    },
  );
}

/** Says what a release would do to the way back, for a plan; nothing where it leaves it open. */
export function schemaNotes({ release, record }: Pick<SchemaInputs, 'release' | 'record'>): string[] {
  const before = schemaOf(record)?.version ?? 0;
  const { schema, compatible = schema ?? 0 } = release;
  const current = currentRevision(record.ledger)?.release;
  if (schema === undefined || schema <= before || !current || (current.schema ?? 0) >= compatible) return [];
  return [
    `there is no way back to ${current.version}: its code (schema ${current.schema ?? 0}) does not run with schema ${schema}, which needs ${compatible}`,
  ];
}

function stepText(environment: string, { version, schema = 0 }: Release, data: DataSchema): string {
  const by = `the data of ${environment} are of schema ${data.version} since ${data.release}`;
  return `${by}, which needs code of schema ${data.compatible} or later, and ${version} is of ${schema}`;
}

/** Says what helps: a forward fix, the dump from before the step, or the operator's word. */
function waysOut(environment: string, release: Release, { ledger }: EnvironmentRecord, data: DataSchema): string[] {
  const dumps = dumpsFor(ledger.dumps ?? [], release);
  const commands = dumps.map(
    ({ accessory, file }) => `\`lockage accessory restore ${environment} ${accessory} ${file}\``,
  );
  const [first] = dumps;
  return [
    `Fix it forward: promote a release of schema ${data.compatible} or later.`,
    first
      ? `Or take the data back to ${whenText(first.at)}, before ${first.version}, and lose what was written since: run ${commands.join(', ')}, then the same command again.`
      : 'There is no dump from before: `migration.dump` in lockage.yaml has one taken before each migration.',
    'Where you know that it runs: `--force-schema REASON`.',
  ];
}

/** Returns the dumps that the code of a release runs with for certain, all from before one migration: the last one. */
function dumpsFor(dumps: readonly DataDump[], release: Release): readonly DataDump[] {
  // Data that are older than its code would have to be migrated first.
  const fitting = dumps.filter(
    ({ schema, doubtful }) => !doubtful && runsWith(release, schema) && schema.version >= (release.schema ?? 0),
  );
  const last = Math.max(...fitting.map(({ revision }) => revision));
  return fitting.filter(({ revision }) => revision === last);
}
