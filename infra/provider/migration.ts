import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, WorkloadFailedError } from '../../pipelines/errors.ts';
import { fingerprint } from '../../pipelines/model/fingerprint.ts';
import type { ProviderContext } from '../context/provider-context.ts';
import { EngineError, type ContainerDetails } from '../docker/api/client.ts';
import { isOwnedBy, labels } from '../docker/labels.ts';
import type { MigrationInputs } from '../resources/inputs.ts';
import { ContainerWorkload } from '../workloads/container/container-workload.ts';
import { workloadError } from '../workloads/workload-error.ts';

/** Milliseconds of one question whether it has ended: a connection that is dead does not say so by itself. */
const questionTimeout = 20_000;
/** Milliseconds between two attempts to reach a host again. */
const pause = 1000;

/**
 * Runs a release's migration to its end, in a container of its own. One that runs already is waited for, and one that
 * has ended well is not run again: its container stays until that is recorded. Where the connection is lost, it is found
 * again by its name until its time is over; nothing that may run is stopped before that, unless the operator stops.
 * Throws LockageError with its last log lines when it fails or takes too long; no container of the release has been
 * started by then.
 */
export async function runMigration(context: ProviderContext, inputs: MigrationInputs): Promise<void> {
  const { host, spec } = inputs;
  const started = performance.now();
  const container = new ContainerWorkload(context, inputs);
  const report = (step: string) =>
    context.progress({ host: host.name, step, detail: spec.name, took: performance.now() - started });
  const left = await endedBefore(context, inputs);
  if (left === 0) return report('was migrated before');
  if (left !== undefined) throw await failed(container, inputs, 'failed before');
  await container.create();
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

/** Returns the exit code of the same migration that an operation before this one has left; undefined where none ended. */
async function endedBefore(context: ProviderContext, inputs: MigrationInputs): Promise<number | undefined> {
  const { host, spec } = inputs;
  const found = await (await context.engine(host)).inspectContainer(spec.name);
  if (!found || found.State.Status !== 'exited') return undefined;
  const { Labels } = found.Config;
  return isOwnedBy(Labels, inputs) && Labels[labels.spec] === fingerprint(spec) ? found.State.ExitCode : undefined;
}

/** Returns its exit code, or that its time is over. Throws LockageError when its host does not say. */
async function endOf(context: ProviderContext, inputs: MigrationInputs): Promise<number | 'late'> {
  const { host, spec, timeout } = inputs;
  for (const end = performance.now() + timeout; ;) {
    const deadline = Math.min(end - performance.now(), questionTimeout);
    if (deadline <= 0) return lastLook(context, inputs);
    try {
      const engine = await context.engine(host);
      return await engine.waitContainer(spec.name, { deadline, signal: context.signal });
    } catch (error) {
      context.signal.throwIfAborted();
      if (error instanceof EngineError && error.status === 404) throw gone(inputs, error);
      await sleep(Math.max(0, Math.min(pause, end - performance.now())), undefined, { signal: context.signal });
    }
  }
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

function gone({ host, spec }: MigrationInputs, cause?: unknown): WorkloadFailedError {
  return new WorkloadFailedError(`${host.name}: ${spec.role} ${spec.version} is gone: somebody removed ${spec.name}`, {
    cause,
  });
}

/** What explains it is read before its container goes. */
async function failed(container: ContainerWorkload, inputs: MigrationInputs, why: string) {
  const error = await workloadError(container, inputs, why);
  await container.remove();
  return error;
}
