import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, WorkloadFailedError } from '../../pipelines/errors.ts';
import { fingerprint } from '../../pipelines/model/fingerprint.ts';
import type { ProviderContext } from '../context/provider-context.ts';
import { EngineError, type ContainerDetails, type Engine } from '../docker/api/client.ts';
import { isOwnedBy, labels } from '../docker/labels.ts';
import type { MigrationInputs } from '../resources/inputs.ts';
import { placeContainer } from '../workloads/container/container.ts';
import { ContainerWorkload } from '../workloads/container/container-workload.ts';
import { workloadError } from '../workloads/workload-error.ts';

/** Milliseconds of one question whether it has ended: a connection that is dead does not say so by itself. */
const questionTimeout = 20_000;
/** Milliseconds between two attempts to reach a host again. */
const pause = 1000;

/**
 * Runs a release's migration to its end, in a container of its own. One that runs already is waited for, and one that
 * has ended well is not run again: its container stays until that is recorded. One that was killed is made again. Where the
 * connection is lost, it is found again by its name until its time is over; nothing that may run is stopped before that,
 * unless the operator stops.
 * Throws LockageError with its last log lines when it fails or takes too long; no container of the release has been
 * started by then.
 */
export async function runMigration(context: ProviderContext, inputs: MigrationInputs): Promise<void> {
  const { host, spec } = inputs;
  const started = performance.now();
  const container = new ContainerWorkload(context, inputs);
  const report = (step: string) =>
    context.progress({ host: host.name, step, detail: spec.name, took: performance.now() - started });
  const left = await leftBefore(context, inputs);
  if (left === 'well') return report('was migrated before');
  if (left === 'failed') throw await failed(container, inputs, 'failed before');
  // It is started below, where a lost answer is no reason to take it for one that did not start. One that has been seen to run
  // may have ended by now, and must not be made once more.
  if (left !== 'runs') await placeContainer(context, inputs);
  const end = await endOf(context, inputs).catch(async (error: unknown) => {
    // The operator said so.
    if (context.signal.aborted) await container.remove();
    throw error;
  });
  if (end === 0) return report('migrated');
  if (end === 'late') throw await failed(container, inputs, `did not end within ${inputs.timeout / 1000} s`);
  throw await failed(container, inputs, 'failed');
}

/** Removes the container of a migration whose end is recorded. One that cannot be removed now goes with others later. */
export async function forgetMigration(context: ProviderContext, inputs: Omit<MigrationInputs, 'timeout'>) {
  const signal = AbortSignal.timeout(questionTimeout);
  const container = new ContainerWorkload(context, inputs);
  // One that runs is none whose end is recorded.
  const runs = await container.instanceId(signal).catch(() => 'unknown');
  if (runs === undefined) await container.remove().catch(() => undefined);
}

/** Returns what became of the same migration of an operation before this one; undefined where it is to be made. */
async function leftBefore(
  context: ProviderContext,
  inputs: MigrationInputs,
): Promise<'runs' | 'well' | 'failed' | undefined> {
  const { host, spec } = inputs;
  const found = await (await context.engine(host)).inspectContainer(spec.name);
  if (!found || !isOwnedBy(found.Config.Labels, inputs)) return undefined;
  if (found.Config.Labels[labels.spec] !== fingerprint(spec)) return undefined;
  const { Running, Status, ExitCode } = found.State;
  if (Running) return 'runs';
  if (Status !== 'exited' || wasKilled(found)) return undefined;
  return ExitCode === 0 ? 'well' : 'failed';
}

/** The exit code that an engine gives to what its host's power cut ended, and those of TERM and KILL. */
const killed = [255, 143, 137];

function wasKilled({ State: { ExitCode, OOMKilled } }: ContainerDetails): boolean {
  return killed.includes(ExitCode) && !OOMKilled;
}

/** Returns its exit code, or that its time is over. Throws LockageError when its host does not say. */
async function endOf(context: ProviderContext, inputs: MigrationInputs): Promise<number | 'late'> {
  for (const end = performance.now() + inputs.timeout; ;) {
    const deadline = Math.min(end - performance.now(), questionTimeout);
    if (deadline <= 0) return lastLook(context, inputs);
    try {
      const code = await goOn(context, inputs, deadline);
      if (code !== undefined) return code;
    } catch (error) {
      context.signal.throwIfAborted();
      if (error instanceof WorkloadFailedError) throw error;
      await sleep(Math.max(0, Math.min(pause, end - performance.now())), undefined, { signal: context.signal });
    }
  }
}

/**
 * Starts it where it was not started yet, and waits for it. Returns its exit code once it is seen to have ended: an engine
 * says 0 also of one that has not begun.
 */
async function goOn(context: ProviderContext, inputs: MigrationInputs, deadline: number): Promise<number | undefined> {
  const { host, spec } = inputs;
  const asking = { deadline, signal: context.signal };
  const engine = await context.engine(host);
  const found = await engine.inspectContainer(spec.name, asking);
  if (!found) throw gone(inputs);
  if (found.State.Status === 'created') await start(context, inputs, engine);
  else if (!found.State.Running) return found.State.ExitCode;
  await engine.waitContainer(spec.name, asking);
  return undefined;
}

async function start(context: ProviderContext, inputs: MigrationInputs, engine: Engine): Promise<void> {
  const { host, spec } = inputs;
  try {
    await engine.startContainer(spec.name, { signal: context.signal });
  } catch (error) {
    // Without an answer, it may run.
    if (!(error instanceof EngineError) || error.status === undefined) throw error;
    await new ContainerWorkload(context, inputs).remove();
    throw new WorkloadFailedError(`${host.name}: ${spec.name} does not start: ${messageOf(error)}`, { cause: error });
  }
  context.progress({ host: host.name, step: 'start', detail: spec.name });
}

async function lastLook(context: ProviderContext, inputs: MigrationInputs): Promise<number | 'late'> {
  const { host, spec } = inputs;
  let found: ContainerDetails | undefined;
  try {
    found = await (await context.engine(host)).inspectContainer(spec.name, { deadline: questionTimeout });
  } catch (error) {
    throw new WorkloadFailedError(`${host.name}: the connection was lost while ${spec.role} ${spec.version} ran`, {
      details: [
        `it was not found again within ${inputs.timeout / 1000} s: ${messageOf(error)}`,
        'nothing has stopped it: it may run to its end',
      ],
      hint: 'Run the same command again when the host answers: it goes on with what it finds.',
      cause: error,
    });
  }
  if (!found) throw gone(inputs);
  return found.State.Running ? 'late' : found.State.ExitCode;
}

function gone({ host, spec }: MigrationInputs): WorkloadFailedError {
  return new WorkloadFailedError(`${host.name}: ${spec.role} ${spec.version} is gone: somebody removed ${spec.name}`);
}

/** Makes the error of a migration that failed. What explains it is read before its container goes. */
async function failed(container: ContainerWorkload, inputs: MigrationInputs, why: string) {
  const error = await workloadError(container, inputs, why);
  await container.remove();
  return error;
}
