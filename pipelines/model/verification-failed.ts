import { WorkloadFailedError, type ErrorOptions } from '../errors.ts';
import type { JobResult } from './verification.ts';

/** Jobs that failed against a release that serves, or served until then. `results`: how each one ended. */
export class VerificationFailedError extends WorkloadFailedError {
  readonly results: readonly JobResult[];

  constructor(message: string, results: readonly JobResult[], options: ErrorOptions = {}) {
    super(message, options);
    this.results = results;
  }
}
