import { asConfigured } from '../model/embedded.ts';
import type { Environment } from '../model/environment.ts';
import type { EnvironmentRecord } from '../model/ledger.ts';
import { environmentNamed } from '../model/pipeline.ts';
import { releaseNamed } from '../model/releases.ts';
import { checkGates } from '../policy/gates.ts';
import { checkUser } from '../policy/release-checks.ts';
import type { Context } from './ports.ts';
import { bringIn, type ArrivalResult } from './steps/bring-in.ts';
import { refuseLost } from './steps/refuse-lost.ts';

/** The release that is to come into an environment. */
export interface PromoteRequest {
  readonly version: string;
  readonly environment: string;
  readonly reason?: string;
  /** show the plan and stop */
  readonly planOnly?: boolean;
}

/** The outcome of a promotion. */
export type PromoteResult = ArrivalResult;

/**
 * Brings a release into an environment, once it has passed the gates: all hosts serve it at the end, or all serve what
 * they served before. Throws LockageError: refused (nothing changed), locked, or failed and rolled back.
 */
export async function promote(context: Context, request: PromoteRequest): Promise<PromoteResult> {
  const startedAt = context.now();
  const environment = environmentNamed(context.project, request.environment);
  context.terminal.step('resolve', `${request.version} for ${environment.name}`);
  const releases = await context.records.releases();
  if (releases.length === 0) {
    await refuseLost(context, environment, await context.records.environment(environment.name));
  }
  const recorded = releaseNamed(releases, request.version);
  checkUser(recorded, environment);
  await context.registry.verify(recorded);
  const release = asConfigured(recorded, context.project.repository);
  const checkMayEnter = async (record: EnvironmentRecord) =>
    checkGates(release, environment, record, await upstreamRecords(context, environment));
  const { version: _, ...rest } = request;
  return bringIn(context, { ...rest, release, checkMayEnter, startedAt });
}

async function upstreamRecords(context: Context, { after }: Environment): Promise<Record<string, EnvironmentRecord>> {
  const records = after.map(async (name) => [name, await context.records.environment(name)] as const);
  return Object.fromEntries(await Promise.all(records));
}
