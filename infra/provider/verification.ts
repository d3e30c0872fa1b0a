import { setTimeout as sleep } from 'node:timers/promises';
import { samePlace, type PlacedContainer } from '../../pipelines/model/desired-state.ts';
import type { ProviderContext } from '../context/provider-context.ts';
import type { ContainerInputs, VerificationInputs } from '../resources/inputs.ts';
import { workloadFor } from '../workloads/runtimes.ts';
import { workloadError } from '../workloads/workload-error.ts';
import type { Workload } from '../workloads/workload.ts';
import { forgetMigration } from './migration.ts';
import { stopThenStart } from './stop-first.ts';
import { deliverRoutes } from './switch-routes.ts';

/**
 * Makes the barrier: every container of the environment proves itself and every host gets its routes, all at the same
 * time; of roles of which two at once are wrong, only when all others have, so that these stand still for the shortest time and for
 * no release that fails elsewhere. Throws LockageError with the container's last log lines and health answers as soon as one
 * does not.
 */
export async function verifyContainers(context: ProviderContext, inputs: VerificationInputs): Promise<void> {
  const { app, environment } = inputs;
  await Promise.all(inputs.wake.map((placed) => workloadFor(context, { app, environment, ...placed }).start()));
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const check = async ({ host, spec }: PlacedContainer): Promise<Proven> => {
    const started = performance.now();
    const subject = { app, environment, host, spec };
    const start = await verify(context, subject, signal);
    context.progress({ host: host.name, step: 'healthy', detail: spec.name, took: performance.now() - started });
    return { subject, start };
  };
  const { stopFirst } = inputs;
  const isLater = (placed: PlacedContainer) => stopFirst?.start.some((other) => samePlace(other, placed)) ?? false;
  const checks = inputs.containers.filter((placed) => !isLater(placed)).map(check);
  const deliver = () => deliverRoutes(context, inputs, inputs.routes);
  const delivery = context.delivered?.catch(deliver) ?? deliver();
  const forgotten = inputs.migrated && forgetMigration(context, { app, environment, ...inputs.migrated });
  try {
    const [proven] = await Promise.all([Promise.all(checks), delivery]);
    if (!stopFirst) return await stillRun(context, proven);
    await stopThenStart(context, { app, environment }, stopFirst, async () => {
      const later = inputs.containers.filter(isLater).map(check);
      checks.push(...later);
      await stillRun(context, [...proven, ...(await Promise.all(later))]);
    });
  } finally {
    stop.abort();
    await Promise.allSettled([...checks, delivery, forgotten]);
  }
}

/** Answers of a container that are kept: the last ones, as one may be asked ten times a second, for an hour. */
const mostAnswers = 50;

/** A container that proved itself, and the start in which it did. */
interface Proven {
  readonly subject: ContainerInputs;
  readonly start: string;
}

/** Checks that none has crashed that was healthy at once, while the slowest proved itself. Throws WorkloadFailedError. */
async function stillRun(context: ProviderContext, proven: readonly Proven[]): Promise<void> {
  await Promise.all(proven.map(async ({ subject, start }) => stillRuns(context, subject, start)));
}

/** Waits until a container has proven itself. Returns the start in which it did. */
async function verify(context: ProviderContext, subject: ContainerInputs, signal: AbortSignal): Promise<string> {
  const part = workloadFor(context, subject);
  const first = await part.instanceId();
  const answers: string[] = [];
  if (first === undefined) throw await workloadError(part, subject, 'is not running', answers);

  const ended = new AbortController();
  const both = AbortSignal.any([signal, ended.signal]);
  const exit = watchExit(part, first, both);
  const health = healthy(part, subject, both, (answer) => {
    answers.push(answer);
    if (answers.length > mostAnswers) answers.shift();
  });
  const begun = performance.now();
  const unhealthy = () => unhealthyText(subject, performance.now() - begun, answers);
  try {
    const verdict = await Promise.race([exit, health.then((good) => (good ? 'healthy' : unhealthy()))]);
    signal.throwIfAborted();
    if (verdict !== 'healthy') throw await workloadError(part, subject, verdict, answers);
  } finally {
    ended.abort();
    await Promise.allSettled([exit, health]);
  }
  return first;
}

/** Says for how long a container was asked. Of one that was not asked as long as that, nothing is said of that time. */
function unhealthyText({ spec: { health } }: ContainerInputs, waited: number, answers: readonly string[]): string {
  if (answers.length === 0) return 'could not be asked whether it is healthy';
  // An edge counts whole seconds.
  return waited < health.timeout - 1000 ? 'was not healthy' : `was not healthy within ${health.timeout / 1000} s`;
}

async function stillRuns(context: ProviderContext, subject: ContainerInputs, start: string): Promise<void> {
  const part = workloadFor(context, subject);
  const now = await part.instanceId();
  if (now === start) return;
  throw await workloadError(part, subject, `${now === undefined ? 'stopped' : 'restarted'} before the routes switched`);
}

async function watchExit(part: Workload, first: string, signal: AbortSignal): Promise<string> {
  while (!signal.aborted) {
    await pause(200, signal);
    if (signal.aborted) break;
    const now = await instanceOf(part, signal);
    if (signal.aborted) break;
    if (now !== first) return now === undefined ? 'stopped' : 'restarted';
  }
  return 'stopped being watched';
}

/**
 * Returns the start of a container that runs; undefined once the signal aborts, as whoever asked needs no answer
 * then.
 */
async function instanceOf(part: Workload, signal: AbortSignal): Promise<string | undefined> {
  try {
    return await part.instanceId(signal);
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}

async function healthy(
  part: Workload,
  { spec: { health } }: ContainerInputs,
  signal: AbortSignal,
  onAnswer: (answer: string) => void,
): Promise<boolean> {
  if (health.check.kind === 'running') {
    await pause(health.check.for, signal);
    return !signal.aborted;
  }
  const rounds = { times: health.healthy, interval: health.interval, seconds: health.timeout / 1000 };
  return quietly(signal, part.healthy(rounds, { signal, onAnswer }));
}

/** Returns whether a probe was good. One that ends because it is not needed any more is no error. */
async function quietly(signal: AbortSignal, probe: Promise<boolean>): Promise<boolean> {
  try {
    return await probe;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal }).catch(() => undefined);
}
