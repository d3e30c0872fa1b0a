import type { Environment } from '../../model/environment.ts';
import type { Context } from '../ports.ts';

/** Returns the environments without those that are archived: their hosts know nothing of them, or are gone. */
export async function environmentsInUse({
  project,
  records,
}: Pick<Context, 'project' | 'records'>): Promise<readonly Environment[]> {
  const found = project.environments.map(async (each) =>
    (await records.environment(each.name)).archive ? [] : [each],
  );
  return (await Promise.all(found)).flat();
}
