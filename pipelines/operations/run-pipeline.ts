import { BrokenError, InterruptedError, LockageError, LockedError, OvertakenError, PartialError } from '../errors.ts';
import type { Environment } from '../model/environment.ts';
import type { Gate } from '../model/gate.ts';
import { currentRevision } from '../model/ledger.ts';
import type { Release } from '../model/release.ts';
import { newestRelease, releaseNamed } from '../model/releases.ts';
import { compareVersions } from '../model/version.ts';
import { perform, type PerformOptions } from './perform.ts';
import type { Context } from './ports.ts';
import { why } from './why.ts';

/** The release that goes on by itself, as far as it may. */
export interface PipelineRequest extends PerformOptions {
  /** absent: the newest that is recorded */
  readonly version?: string;
  /** say what would be promoted now, and promote nothing */
  readonly planOnly?: boolean;
}

/** What became of the release in one environment. */
export interface Passage {
  readonly environment: string;
  /**
   * `would promote`: all gates are met, and only a plan was asked for; `runs`: it does already; `waits`: gates are closed;
   * `by hand`: a person promotes there; `newer`: what runs there is; `locked`: somebody else changes it; `not tried`:
   * another environment failed in a way that a person has to look at
   */
  readonly outcome:
    'promoted' | 'would promote' | 'runs' | 'waits' | 'by hand' | 'newer' | 'locked' | 'failed' | 'not tried';
  /** the gates that are closed */
  readonly gates?: readonly Gate[];
  /** number of the revision that was made */
  readonly revision?: number;
  readonly error?: LockageError;
}

/** The outcome of a run: what became of the release, environment by environment, in the order of the pipeline. */
export interface PipelineResult {
  readonly version: string;
  readonly environments: readonly Passage[];
}

/**
 * Brings a release into every environment with `promote: auto` whose gates are met, in the order of the pipeline. An environment
 * that fails and is taken back keeps none away that does not come after it: gates alone decide. What is left broken or in part
 * ends the run. Safe to repeat, and for several at once. Throws LockageError when there is no such release.
 */
export async function runPipeline(context: Context, request: PipelineRequest): Promise<PipelineResult> {
  const releases = await context.records.releases();
  const release = request.version === undefined ? newestRelease(releases) : releaseNamed(releases, request.version);
  const passages: Passage[] = [];
  for (const environment of context.project.environments) {
    const ends = context.signal.aborted || passages.some(({ error }) => endsRun(error));
    const { name } = environment;
    passages.push(
      ends ? { environment: name, outcome: 'not tried' } : await pass(context, environment, release, request),
    );
  }
  return { version: release.version, environments: passages };
}

/** A person has to look before anything else is changed. */
function endsRun(error: LockageError | undefined): boolean {
  return error instanceof BrokenError || error instanceof PartialError || error instanceof InterruptedError;
}

async function pass(
  context: Context,
  environment: Environment,
  release: Release,
  { planOnly, ...options }: PipelineRequest,
): Promise<Passage> {
  const { name } = environment;
  try {
    const outcome = await reasonNot(context, environment, release);
    if (outcome) return { environment: name, outcome };
    const { version } = release;
    const { gates } = await why(context, { version, environment: name });
    const closed = gates.filter(({ met }) => !met);
    if (closed.length > 0) return { environment: name, outcome: 'waits', gates: closed };
    if (planOnly) return { environment: name, outcome: 'would promote' };
    const result = await perform(context, 'promote', { version, environment: name }, options);
    if (result.outcome !== 'promoted') return { environment: name, outcome: 'runs' };
    return { environment: name, outcome: 'promoted', ...(result.revision ? { revision: result.revision.number } : {}) };
  } catch (error) {
    if (!(error instanceof LockageError)) throw error;
    const isTaken = error instanceof LockedError || error instanceof OvertakenError;
    return { environment: name, outcome: isTaken ? 'locked' : 'failed', error };
  }
}

/** Returns why a release is not to come into an environment in this way, whatever its gates say. */
async function reasonNot(
  { records }: Pick<Context, 'records'>,
  { name, promote }: Environment,
  release: Release,
): Promise<'runs' | 'newer' | 'by hand' | undefined> {
  const current = currentRevision((await records.environment(name)).ledger)?.release;
  if (current?.digest === release.digest) return 'runs';
  if (promote !== 'auto') return 'by hand';
  return current && compareVersions(current.version, release.version) > 0 ? 'newer' : undefined;
}
