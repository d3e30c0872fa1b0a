import { LockageError } from '../errors.ts';
import { withoutCordoned, withoutPending } from '../model/cordons.ts';
import type { Environment } from '../model/environment.ts';
import { counted } from '../model/fence.ts';
import { withoutOldLogs, withResults } from '../model/job-results.ts';
import { currentRevision, type EnvironmentRecord } from '../model/ledger.ts';
import { environmentNamed } from '../model/pipeline.ts';
import type { Ledger, Revision } from '../model/revision.ts';
import type { JobResult, VerificationJob } from '../model/verification.ts';
import { VerificationFailedError } from '../model/verification-failed.ts';
import { planJobs } from '../planning/plan-verification.ts';
import { refuseAhead } from '../policy/fence.ts';
import { refuseOtherHosts } from '../policy/unchanged.ts';
import { didYouMean } from '../text/suggest.ts';
import type { Context } from './ports.ts';
import { withJobImages } from './steps/job-images.ts';
import { operationInfo } from './steps/operation-info.ts';
import { recordAgain } from './steps/record-again.ts';
import { refuseLost } from './steps/refuse-lost.ts';
import { withEnvironmentLock } from './steps/with-lock.ts';

/** The environment whose release is to be verified. */
export interface VerifyRequest {
  readonly environment: string;
  /** absent: all of its jobs */
  readonly job?: string;
}

/** The outcome of a verification: all jobs passed. */
export interface VerifyResult {
  readonly environment: string;
  readonly version: string;
  readonly revision: number;
  readonly results: readonly JobResult[];
}

/**
 * Runs the jobs of an environment against the release that serves there, and records how they ended. Nothing that serves is
 * changed. Throws VerificationFailedError once that is recorded, or LockageError.
 */
export async function verify(context: Context, request: VerifyRequest): Promise<VerifyResult> {
  const configured = environmentNamed(context.project, request.environment);
  const { name } = configured;
  const verification = chosen(configured, request.job);
  const record = await context.records.environment(name);
  if (record.ledger.revisions.length === 0) await refuseLost(context, configured, record);
  servingIn(name, record);
  const environment = withoutPending(withoutCordoned({ ...configured, verification }, record.ledger));
  return withEnvironmentLock(context, { environment, purpose: 'verify' }, async () => {
    const now = await context.records.environment(name);
    refuseOtherHosts(configured, record, now);
    const current = servingIn(name, now);
    const reports = await context.hosts.look(environment);
    refuseAhead(environment, now, reports);
    const results = await runAll(context, environment, current);
    // Gates count on it.
    const ledger = counted(withoutOldLogs(verified(now.ledger, current, results)));
    await recordAgain(context, environment, {
      record: now,
      ledger,
      reports,
      message: `verify ${current.release.version}`,
    });
    refuseUnverified(name, current, results);
    return { environment: name, version: current.release.version, revision: current.number, results };
  });
}

function chosen({ name, verification = [] }: Environment, job: string | undefined): readonly VerificationJob[] {
  if (verification.length === 0) {
    throw new LockageError(`${name} has no jobs`, {
      hint: `Configure \`verification\` in lockage.yaml or environments/${name}.yaml.`,
    });
  }
  if (job === undefined) return verification;
  const names = verification.map((each) => each.name);
  const found = verification.filter((each) => each.name === job);
  if (found.length > 0) return found;
  throw new LockageError(`${name} has no job ${JSON.stringify(job)}${didYouMean(job, names)}`, {
    details: [`its jobs are ${names.join(', ')}`],
  });
}

function servingIn(environment: string, { ledger }: EnvironmentRecord): Revision {
  const current = currentRevision(ledger);
  if (current) return current;
  throw new LockageError(`nothing runs in ${environment} that could be verified`, {
    hint: `Run \`lockage promote VERSION --to ${environment}\`.`,
  });
}

async function runAll(
  context: Context,
  environment: Environment,
  { release, secretVersions }: Revision,
): Promise<readonly JobResult[]> {
  context.terminal.step('verify', `${release.version} in ${environment.name}`);
  const versions = await context.secrets.read(environment, secretVersions);
  const { app, operation } = operationInfo(context);
  const jobs = planJobs({ app, environment, release, versions, operation });
  return context.verification.run(environment, await withJobImages(context, environment, { jobs }));
}

function verified(ledger: Ledger, { number }: Revision, results: readonly JobResult[]): Ledger {
  const revisions = ledger.revisions.map((revision) =>
    revision.number === number ? { ...revision, verification: withResults(revision.verification, results) } : revision,
  );
  return { ...ledger, revisions };
}

function refuseUnverified(environment: string, { number, release }: Revision, results: readonly JobResult[]): void {
  const failed = results.filter(({ passed }) => !passed);
  if (failed.length === 0) return;
  const jobs = failed.map(({ job, why }) => `${job} (${why ?? 'failed'})`).join(', ');
  throw new VerificationFailedError(`${release.version} did not pass in ${environment}: ${jobs}`, results, {
    details: [
      ...failed.flatMap(({ job, log }) => [`last log lines of ${job}:`, ...log.map((line) => `  ${line}`)]),
      `${environment} serves ${release.version} as before`,
    ],
    hint: `Run \`lockage history ${environment} --revision ${number}\` to see the output of all jobs.`,
  });
}
