import type { Gate } from '../model/gate.ts';
import { environmentNamed } from '../model/pipeline.ts';
import { releaseNamed } from '../model/releases.ts';
import type { Context } from './ports.ts';
import { askForImage, gatesOf } from './steps/gates-of.ts';

/** A release, and the environment that it may or may not enter. */
export interface WhyRequest {
  readonly version: string;
  readonly environment: string;
}

/** The gates before an environment. */
export interface WhyResult extends WhyRequest {
  /** all of them are met */
  readonly mayEnter: boolean;
  readonly gates: readonly Gate[];
}

/** Returns every gate before an environment, met or not, as a promotion would judge it now. Changes nothing. Throws LockageError. */
export async function why(
  context: Pick<Context, 'project' | 'records' | 'registry' | 'hosts' | 'evidence' | 'now'>,
  { version, environment: name }: WhyRequest,
): Promise<WhyResult> {
  const environment = environmentNamed(context.project, name);
  const release = releaseNamed(await context.records.releases(), version);
  const [record, image] = await Promise.all([context.records.environment(name), askForImage(context, release)]);
  const gates = await gatesOf(context, { release, environment, record, image });
  return { version, environment: name, mayEnter: gates.every(({ met }) => met), gates };
}
