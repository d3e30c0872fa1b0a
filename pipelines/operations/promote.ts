import { asConfigured } from '../model/embedded.ts';
import type { EnvironmentRecord } from '../model/ledger.ts';
import { environmentNamed } from '../model/pipeline.ts';
import { releaseNamed } from '../model/releases.ts';
import { checkCommand, checkUser } from '../policy/release-checks.ts';
import type { Context } from './ports.ts';
import { bringIn, type ArrivalResult } from './steps/bring-in.ts';
import { askForImage, passGates } from './steps/gates-of.ts';
import { refuseLost } from './steps/refuse-lost.ts';
import { signPassage } from './steps/sign-passage.ts';

/** The release that is to come into an environment. */
export interface PromoteRequest {
  readonly version: string;
  readonly environment: string;
  readonly reason?: string;
  /** why it comes there although its code may not run with the data */
  readonly forceSchema?: string;
  /** why gates are passed that are not met, as far as the environment allows it */
  readonly breakGlass?: string;
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
  context.observers?.know({ release: recorded });
  checkUser(recorded, environment);
  checkCommand(recorded, environment);
  const image = await askForImage(context, recorded);
  const release = asConfigured(recorded, context.project.repository);
  const { version: _, forceSchema, ...rest } = request;
  const checkMayEnter = (record: EnvironmentRecord) =>
    passGates(context, { release, environment, record, image, forceSchema }, request.breakGlass);
  const forced = forceSchema === undefined ? {} : { forcedSchema: forceSchema };
  const result = await bringIn(context, { ...rest, ...forced, release, checkMayEnter, startedAt });
  if (result.outcome !== 'planned') await signPassage(context, { environment, release, result });
  return result;
}
