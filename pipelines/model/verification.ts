import { fingerprint } from './fingerprint.ts';

/** A job that is run against an environment once a release serves there. */
export interface VerificationJob {
  readonly name: string;
  readonly command: readonly string[];
  /** as it is configured; absent: the release's own */
  readonly image?: string;
  readonly env: Readonly<Record<string, string>>;
  /** names of the secrets it gets as files in /run/secrets */
  readonly secrets: readonly string[];
  /** milliseconds of one try */
  readonly timeout: number;
  /** tries after the first */
  readonly retries: number;
}

/** How the role of a job begins, as its container has it; no other role is named like that. */
export const jobRoleStart = 'verify ';

/** How a job ended. */
export interface JobResult {
  readonly job: string;
  /** says what was run: a job that is configured otherwise has another one */
  readonly definition: string;
  readonly passed: boolean;
  /** why it did not pass: `exit code 1`, `not ended within 120 s` */
  readonly why?: string;
  /** ISO 8601: when it ended */
  readonly at: string;
  /** milliseconds of all tries */
  readonly duration: number;
  readonly tries: number;
  /** the last lines of its output, secrets masked */
  readonly log: readonly string[];
  /** what it ran in: by digest where a registry knows one */
  readonly image: string;
}

/** Returns what a job is known by: how long it may take, and how often, says nothing of what it shows. */
export function definitionOf({ command, image, env, secrets }: VerificationJob): string {
  return fingerprint({ command, image: image ?? '', env, secrets: [...secrets].sort() });
}
