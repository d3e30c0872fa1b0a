import type { ProviderContext } from '../context/provider-context.ts';
import type { WatchInputs } from '../resources/inputs.ts';
import { refuseFailed, runJobs } from './run-jobs.ts';

/** The jobs that run while a release is watched. */
export interface WatchedJobs {
  isOver(): boolean;
  /** Throws VerificationFailedError once one has failed. */
  refuseFailed(): void;
  /** Ends them early, as their outcome does not matter any more. */
  stop(): void;
  /** resolves when the containers of all of them are gone; never rejects */
  readonly ended: Promise<void>;
}

/** Begins to run the jobs of a watch, one after the other, until one fails. How they ended is noted for the record. */
export function beginJobs(context: ProviderContext, inputs: WatchInputs): WatchedJobs {
  const { environment, jobs = [] } = inputs;
  const stop = new AbortController();
  let isOver = jobs.length === 0;
  let failure: Error | undefined;
  const run = async () => {
    if (isOver) return;
    const signal = AbortSignal.any([context.signal, stop.signal]);
    const results = await runJobs({ ...context, signal }, inputs, jobs, { untilFailed: true });
    context.jobResults?.push(...results);
    refuseFailed(environment, results);
  };
  const ended = run()
    .catch((error: unknown) => {
      failure = error instanceof Error ? error : new Error(String(error));
    })
    .finally(() => (isOver = true));
  return {
    isOver: () => isOver,
    refuseFailed: () => {
      if (failure) throw failure;
    },
    stop: () => stop.abort(),
    ended,
  };
}
