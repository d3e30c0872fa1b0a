import type { EnvironmentRecord } from '../../model/ledger.ts';
import type { Context } from '../ports.ts';
import type { ReleaseGraph } from '../../policy/retention.ts';

/** The release graph with the whole record of each environment. */
export interface RecordedGraph extends ReleaseGraph {
  readonly environments: readonly { readonly name: string; readonly record: EnvironmentRecord }[];
}

/**
 * Reads what is recorded of all releases and environments, also of environments that are not
 * configured in this clone of the project.
 */
export async function releaseGraph({ project, records }: Pick<Context, 'project' | 'records'>): Promise<RecordedGraph> {
  const [recorded, archives] = await Promise.all([records.environments(), records.archives()]);
  const archived = archives.map(({ environment }) => environment);
  const names = new Set([...project.environments.map(({ name }) => name), ...recorded, ...archived]);
  const [releases, ...environments] = await Promise.all([
    records.releases(),
    ...[...names].map(async (name) => ({ name, record: await records.environment(name) })),
  ]);
  return { releases, environments };
}
