import { lastNumber } from './fence.ts';
import { goodRevisions, type EnvironmentRecord } from './ledger.ts';
import { imageByDigest, type Release } from './release.ts';
import type { DataSchema, Ledger } from './revision.ts';

type Known = Pick<EnvironmentRecord, 'ledger' | 'migration'>;

/**
 * Returns the schema that an environment's data have: the highest that a release brought there, whose migration ran to its end or
 * which served. One that was gone back from counts as well, as nothing takes data back but a dump. Undefined where no release
 * declared one.
 */
export function schemaOf({ ledger, migration }: Known): DataSchema | undefined {
  const since = ledger.schema?.revision ?? 0;
  const served = goodRevisions(ledger).filter(({ number }) => number > since);
  const migrated = ledger.revisions.filter(
    ({ number, release }) => number > since && migration?.spec.image === imageByDigest(release),
  );
  const found = [...served, ...migrated].flatMap(({ release, number }) => declared(release, number));
  return [...(ledger.schema ? [ledger.schema] : []), ...found].reduce<DataSchema | undefined>(
    (highest, each) => (highest && highest.version >= each.version ? highest : each),
    undefined,
  );
}

function declared({ schema, compatible = schema, version: release }: Release, revision: number): DataSchema[] {
  return schema === undefined ? [] : [{ version: schema, compatible: compatible ?? schema, release, revision }];
}

/** Returns whether the code of a release runs with data of a schema. What declares none is of schema 0. */
export function runsWith({ schema = 0 }: Pick<Release, 'schema'>, data: DataSchema | undefined): boolean {
  return data === undefined || schema >= data.compatible;
}

/** Returns a ledger that knows the schema of its data, whichever of its revisions are forgotten. */
export function withSchema(ledger: Ledger, known: Known): Ledger {
  const schema = schemaOf(known);
  return schema ? { ...ledger, schema: { ...schema, revision: lastNumber(known.ledger) } } : ledger;
}
