import type { Environment, Project } from '../model/environment.ts';
import type { Gate } from '../model/gate.ts';
import { resultsOf } from '../model/job-results.ts';
import { currentRevision, type EnvironmentRecord } from '../model/ledger.ts';
import { upstream } from '../model/pipeline.ts';
import type { Release } from '../model/release.ts';
import { definitionOf, type VerificationJob } from '../model/verification.ts';

/** A release, and what an environment before this one asks of it. */
export interface VerificationInputs {
  readonly release: Release;
  /** name of the environment before */
  readonly from: string;
  /** what is recorded of it */
  readonly before: EnvironmentRecord | undefined;
  /** its jobs, as they are configured now */
  readonly jobs: readonly VerificationJob[];
}

/** Returns the environments before one that have jobs, with these, by name. */
export function jobsBefore(
  project: Project,
  environment: Environment,
): Readonly<Record<string, readonly VerificationJob[]>> {
  const before = upstream(project, environment).filter(({ verification }) => verification);
  return Object.fromEntries(before.map(({ name, verification = [] }) => [name, verification]));
}

/** Judges whether a release has passed all jobs of an environment before: with these commands, and with no others. */
export function verificationGate({ release, from, before, jobs }: VerificationInputs): Gate {
  const gate = { gate: 'verification', from } as const;
  const { version } = release;
  const results = before ? resultsOf(before.ledger, release) : new Map<string, never>();
  const problems = jobs.flatMap((job) => {
    const result = results.get(job.name);
    if (!result) return [`${job.name} was not run`];
    if (result.definition !== definitionOf(job)) return [`${job.name} was run as it was configured before`];
    return result.passed ? [] : [`${job.name} failed (${result.why ?? 'unknown'})`];
  });
  if (problems.length === 0) {
    const names = jobs.map(({ name }) => name).join(', ');
    return { ...gate, met: true, text: `${version} passed ${names} in ${from}` };
  }
  const serves = before !== undefined && currentRevision(before.ledger)?.release.digest === release.digest;
  const command = serves ? `lockage verify ${from}` : `lockage promote ${version} --to ${from}`;
  return { ...gate, met: false, text: `${version} is not verified in ${from}: ${problems.join(', ')}`, command };
}
