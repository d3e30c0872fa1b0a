import { LockageError } from '../errors.ts';
import type { EnvironmentRecord } from '../model/ledger.ts';
import { environmentNamed } from '../model/pipeline.ts';
import type { Release } from '../model/release.ts';
import { checkCommand, checkUser } from '../policy/release-checks.ts';
import type { Context } from './ports.ts';
import { bringIn, type ArrivalResult } from './steps/bring-in.ts';
import { passGates } from './steps/gates-of.ts';

/** The environment that is a revision of another one, and the release of that revision. */
export interface ReproduceRequest {
  readonly environment: string;
  readonly release: Release;
  /** show the plan and stop */
  readonly planOnly?: boolean;
  /** makes what has to be there before anything of the environment is, once it was agreed to; safe to repeat */
  readonly begin?: () => Promise<void>;
  /** gives its accessories their data, once they are there and before anything of the release is; safe to repeat */
  readonly fill?: () => Promise<void>;
}

/**
 * Makes a reproduction run, as a promotion makes an environment: all of it serves at the end, or what served before. Nothing of
 * the original is asked or changed. No registry is asked whether it still has the release: that it ran is recorded. Throws
 * LockageError: refused (nothing changed), locked, or failed and rolled back.
 */
export async function reproduce(context: Context, request: ReproduceRequest): Promise<ArrivalResult> {
  const startedAt = context.now();
  const environment = environmentNamed(context.project, request.environment);
  const { name, reproduces } = environment;
  if (!reproduces) throw new LockageError(`${name} is no reproduction`, { hint: 'Promote a release to it.' });
  const { release } = request;
  const what = `revision ${reproduces.revision} of ${reproduces.environment}`;
  context.terminal.step('reproduce', `${what}, ${release.version}, as ${name}`);
  checkUser(release, environment);
  checkCommand(release, environment);
  const checkMayEnter = (record: EnvironmentRecord) => passGates(context, { release, environment, record });
  return bringIn(context, {
    ...request,
    checkMayEnter,
    startedAt,
    reason: `reproduces ${what}`,
    question: `Reproduce ${what} as ${name}?`,
  });
}
