import { messageOf, OvertakenError } from '../../pipelines/errors.ts';
import { jobRoleStart, type JobResult } from '../../pipelines/model/verification.ts';
import { VerificationFailedError } from '../../pipelines/model/verification-failed.ts';
import { printable } from '../../pipelines/text/printable.ts';
import type { ProviderContext } from '../context/provider-context.ts';
import { containerName } from '../docker/api/names.ts';
import { labels, ownerLabels } from '../docker/labels.ts';
import type { JobInputs, MigrationInputs, Place } from '../resources/inputs.ts';
import { placeContainer } from '../workloads/container/container.ts';
import { ContainerWorkload } from '../workloads/container/container-workload.ts';
import { removeSecretVolume, secretVolumeName } from '../workloads/secret-volume.ts';
import { endOf } from './run-to-end.ts';

/** Lines of a job's output that are kept, and characters of each: they lie in the record of every revision. */
const kept = { lines: 20, characters: 300 };
/** Milliseconds to read them. */
const readTimeout = 5000;

/** The options of a run. */
interface RunOptions {
  /** the first that fails ends it: what serves is to be taken back at once */
  readonly untilFailed?: boolean;
}

/**
 * Runs jobs one after the other, each in a container of its own that is gone afterwards, whatever becomes of it. What a
 * command that was killed has left of jobs there goes first. Returns how each one ended. Throws OvertakenError, or the
 * reason of the signal.
 */
export async function runJobs(
  context: ProviderContext,
  place: Place,
  jobs: readonly JobInputs[],
  { untilFailed = false }: RunOptions = {},
): Promise<readonly JobResult[]> {
  const results: JobResult[] = [];
  for (const host of new Map(jobs.map((job) => [job.host.name, job.host])).values()) {
    await removeLeftJobs(context, place, host);
  }
  for (const job of jobs) {
    const result = await runJob(context, place, job);
    results.push(result);
    const { host } = job;
    const step = result.passed ? 'verified' : 'verification failed';
    context.progress({ host: host.name, step, detail: job.job, took: result.duration });
    if (untilFailed && !result.passed) break;
  }
  return results;
}

/** Throws VerificationFailedError with the output of jobs that failed, if any did. */
export function refuseFailed(environment: string, results: readonly JobResult[]): void {
  const failed = results.filter(({ passed }) => !passed);
  if (failed.length === 0) return;
  const names = failed.map(({ job, why }) => `${job} (${why ?? 'failed'})`).join(', ');
  throw new VerificationFailedError(`verification of ${environment} failed: ${names}`, results, {
    details: failed.flatMap(({ job, log }) => [
      `last log lines of ${job}:`,
      ...(log.length > 0 ? log.map((line) => `  ${line}`) : ['  (none)']),
    ]),
  });
}

async function runJob(context: ProviderContext, place: Place, job: JobInputs): Promise<JobResult> {
  const started = performance.now();
  const { image } = job.spec;
  for (let tries = 1; ; tries += 1) {
    const { why, log } = await tryOnce(context, {
      ...place,
      ...job,
      spec: { ...job.spec, name: `${job.spec.name}-${tries}` },
    });
    if (why !== undefined && tries <= job.retries) continue;
    return {
      ...{ job: job.job, definition: job.definition, passed: why === undefined },
      ...(why === undefined ? {} : { why }),
      at: new Date().toISOString(),
      duration: Math.round(performance.now() - started),
      ...{ tries, log, image },
    };
  }
}

/** Returns why a try did not pass; undefined where it did. */
async function tryOnce(
  context: ProviderContext,
  inputs: MigrationInputs,
): Promise<{ readonly why?: string; readonly log: readonly string[] }> {
  const container = new ContainerWorkload(context, inputs);
  try {
    await placeContainer(context, inputs);
    const end = await endOf(context, inputs);
    const log = await lastLines(context, container);
    if (end === 0) return { log };
    return { why: end === 'late' ? `not ended within ${inputs.timeout / 1000} s` : `exit code ${end}`, log };
  } catch (error) {
    context.signal.throwIfAborted();
    if (error instanceof OvertakenError) throw error;
    return { why: shown(context, messageOf(error)), log: await lastLines(context, container) };
  } finally {
    // What cannot be removed now goes with the next run, or the next promotion.
    await container.remove().catch(() => undefined);
  }
}

async function lastLines(context: ProviderContext, container: ContainerWorkload): Promise<readonly string[]> {
  const lines = await container.lastLines(kept.lines, AbortSignal.timeout(readTimeout)).catch(() => []);
  return lines.map((line) => shown(context, line));
}

function shown(context: ProviderContext, text: string): string {
  const line = printable(context.mask(text));
  return line.length > kept.characters ? `${line.slice(0, kept.characters)} …` : line;
}

/** Removes what a command that was killed has left of jobs on a host. */
async function removeLeftJobs(context: ProviderContext, place: Place, host: JobInputs['host']): Promise<void> {
  const engine = await context.engine(host);
  const own = ownerLabels(place.app, place.environment, 'release');
  const left = (await engine.listContainers({ all: true, labels: own })).filter(({ Labels }) =>
    Labels[labels.role]?.startsWith(jobRoleStart),
  );
  for (const each of left) {
    await context.checkLock();
    const name = containerName(each);
    await engine.removeContainer(name, { force: true }).catch(() => undefined);
    await removeSecretVolume(engine, place, secretVolumeName(name)).catch(() => undefined);
  }
}
