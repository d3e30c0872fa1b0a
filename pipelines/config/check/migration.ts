import { didYouMean } from '../../text/suggest.ts';
import type { Checked } from './context.ts';

/** Checks that what is dumped before a migration is there, and what a release will declare of its data. */
export function checkMigration({ file, resolved, report }: Checked): void {
  const known = resolved.accessories.map(({ name }) => name);
  for (const name of resolved.migration?.dump ?? []) {
    if (known.includes(name)) continue;
    report(['migration', 'dump', name], `is not an accessory of ${resolved.name}${didYouMean(name, known)}`);
  }
  const { schema, compatible } = file;
  if (compatible === undefined) return;
  if (schema === undefined) report(['compatible'], 'says something of a schema that is not declared: set schema too');
  else if (compatible > schema) report(['compatible'], `is later than the schema, ${schema}`);
}
