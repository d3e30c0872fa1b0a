import type { Environment } from '../model/environment.ts';
import { LockageError } from '../errors.ts';
import { environmentNamed } from '../model/pipeline.ts';
import type { Context } from './ports.ts';
import { promote, type PromoteResult } from './promote.ts';
import { currentRevision } from '../model/ledger.ts';
import { didYouMean } from '../text/suggest.ts';

export interface ScaleRequest {
  readonly environment: string;
  /** role → how many containers it shall have */
  readonly counts: Readonly<Record<string, number>>;
  readonly reason?: string;
  readonly planOnly?: boolean;
}

/**
 * Gives roles of a swarm another number of containers: the release that runs is brought in once more, in services of that
 * size, over the same barrier as any other change. Later promotions keep the number until the configuration says another.
 * Throws LockageError.
 */
export async function scale(context: Context, request: ScaleRequest): Promise<PromoteResult> {
  const environment = environmentNamed(context.project, request.environment);
  const { name } = environment;
  if (!environment.orchestrator) {
    throw new LockageError(`${name} runs on hosts, and a role has its \`count\` on each of them`, {
      hint: `Set roles.ROLE.count in environments/${name}.yaml, and promote the same release again.`,
    });
  }
  checkRoles(environment, Object.keys(request.counts));
  const current = currentRevision((await context.records.environment(name)).ledger);
  if (!current) {
    throw new LockageError(`nothing runs in ${name}`, {
      hint: `Bring a release there: \`lockage promote VERSION --to ${name}\`.`,
    });
  }
  return promote(context, { ...request, version: current.release.version });
}

function checkRoles({ name, roles }: Environment, asked: readonly string[]): void {
  const known = roles.map((role) => role.name);
  for (const role of asked) {
    if (known.includes(role)) continue;
    throw new LockageError(`no role ${JSON.stringify(role)} in ${name}${didYouMean(role, known)}`, {
      hint: `Roles of ${name}: ${known.join(', ')}.`,
    });
  }
}
