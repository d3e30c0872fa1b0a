import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, OvertakenError, WorkloadFailedError } from '../../pipelines/errors.ts';
import type { ProviderContext } from '../context/provider-context.ts';
import { EngineError, type ContainerDetails, type Engine } from '../docker/api/client.ts';
import type { MigrationInputs } from '../resources/inputs.ts';
import { ContainerWorkload } from '../workloads/container/container-workload.ts';
import { logHint } from '../workloads/log-hints.ts';

/** Milliseconds of one question whether it has ended: a connection that is dead does not say so by itself. */
export const questionTimeout = 20_000;
/** Milliseconds between two attempts to reach a host again. */
const pause = 1000;

/**
 * Starts a container that was placed and waits for its end. Returns its exit code, or that its time is over. Where the connection is
 * lost, it is found again by its name until then. Throws WorkloadFailedError when it does not start or is gone, and LockageError when
 * its host does not say.
 */
export async function endOf(context: ProviderContext, inputs: MigrationInputs): Promise<number | 'late'> {
  let failure: unknown;
  for (const end = performance.now() + inputs.timeout; ;) {
    const deadline = Math.min(end - performance.now(), questionTimeout);
    if (deadline <= 0) return lastLook(context, inputs, failure);
    try {
      const code = await goOn(context, inputs, deadline);
      if (code !== undefined) return code;
    } catch (error) {
      context.signal.throwIfAborted();
      if (error instanceof WorkloadFailedError || error instanceof OvertakenError) throw error;
      failure = error;
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
  // To place it takes seconds, in which somebody may take over.
  await context.checkLock();
  try {
    await engine.startContainer(spec.name, { signal: context.signal });
  } catch (error) {
    // Without an answer, it may run.
    if (!(error instanceof EngineError) || error.status === undefined) throw error;
    await new ContainerWorkload(context, inputs).remove();
    const hint = logHint([messageOf(error)], spec);
    throw new WorkloadFailedError(`${host.name}: ${spec.name} does not start: ${messageOf(error)}`, {
      ...(hint === undefined ? {} : { hint }),
      cause: error,
    });
  }
  context.progress({ host: host.name, step: 'start', detail: spec.name });
}

/** Looks once more when the time is over. `failure`: what kept it from being seen until its end, if anything did. */
async function lastLook(context: ProviderContext, inputs: MigrationInputs, failure: unknown): Promise<number | 'late'> {
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
  // Its exit code is 0 as well, and it must not begin when nobody waits for it any more.
  if (found.State.Status === 'created') throw await neverStarted(context, inputs, failure);
  return found.State.Running ? 'late' : found.State.ExitCode;
}

async function neverStarted(
  context: ProviderContext,
  inputs: MigrationInputs,
  failure: unknown,
): Promise<WorkloadFailedError> {
  await new ContainerWorkload(context, inputs).remove();
  const { host, spec, timeout } = inputs;
  return new WorkloadFailedError(
    `${host.name}: ${spec.role} ${spec.version} was not started within ${timeout / 1000} s`,
    { details: failure === undefined ? [] : [messageOf(failure)], cause: failure },
  );
}

function gone({ host, spec }: MigrationInputs): WorkloadFailedError {
  return new WorkloadFailedError(`${host.name}: ${spec.role} ${spec.version} is gone: somebody removed ${spec.name}`);
}
