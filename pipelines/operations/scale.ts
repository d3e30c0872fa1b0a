import { LockageError } from '../errors.ts';
import type { Environment } from '../model/environment.ts';
import { currentRevision, type EnvironmentRecord } from '../model/ledger.ts';
import { environmentNamed } from '../model/pipeline.ts';
import type { Release } from '../model/release.ts';
import { checkCommand, checkUser } from '../policy/release-checks.ts';
import { didYouMean } from '../text/suggest.ts';
import type { Context } from './ports.ts';
import { bringIn, type ArrivalResult } from './steps/bring-in.ts';
import { refuseLost } from './steps/refuse-lost.ts';

/** The numbers of containers that roles of an environment are to have. */
export interface ScaleRequest {
  readonly environment: string;
  /** role → its number of containers */
  readonly counts: Readonly<Record<string, number>>;
  readonly reason?: string;
  /** show the plan and stop */
  readonly planOnly?: boolean;
}

/**
 * Gives roles of a swarm another number of containers: the release that runs is brought in once more, in services of that
 * size, over the same barrier as any other change. Later promotions keep the number until the configuration says another.
 * Throws LockageError.
 */
export async function scale(context: Context, request: ScaleRequest): Promise<ArrivalResult> {
  const startedAt = context.now();
  const environment = environmentNamed(context.project, request.environment);
  refuseHosts(environment);
  checkRoles(environment, Object.keys(request.counts));
  const release = await releaseThatRuns(context, environment);
  context.terminal.step('resolve', `${release.version} for ${environment.name}`);
  checkUser(release, environment);
  checkCommand(release, environment);
  await context.registry.verify(release);
  const checkMayEnter = async (record: EnvironmentRecord) => refuseOtherRelease(environment, release, record);
  return bringIn(context, { ...request, release, checkMayEnter, startedAt });
}

function refuseHosts({ name, orchestrator }: Environment): void {
  if (orchestrator) return;
  throw new LockageError(`${name} runs on hosts, and a role has its \`count\` on each of them`, {
    hint: `Set roles.ROLE.count in environments/${name}.yaml, and promote the same release again.`,
  });
}

async function releaseThatRuns(context: Context, environment: Environment): Promise<Release> {
  const { name } = environment;
  const record = await context.records.environment(name);
  const current = currentRevision(record.ledger);
  if (current) return current.release;
  await refuseLost(context, environment, record);
  throw new LockageError(`nothing runs in ${name}`, {
    hint: `Bring a release there: \`lockage promote VERSION --to ${name}\`.`,
  });
}

/**
 * Refuses another release than the one that runs there: that one has passed the gates, another has not, as far as
 * this command knows.
 */
function refuseOtherRelease({ name }: Environment, release: Release, { ledger }: EnvironmentRecord): void {
  const current = currentRevision(ledger);
  if (current?.release.digest === release.digest) return;
  throw new LockageError(`${name} runs ${current?.release.version} by now: nothing was scaled`, {
    hint: 'Run the same command again.',
  });
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
