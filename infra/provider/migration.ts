import { fingerprint } from '../../pipelines/model/fingerprint.ts';
import { refuseOtherMigrations } from '../../pipelines/policy/running-migrations.ts';
import type { ProviderContext } from '../context/provider-context.ts';
import type { ContainerDetails } from '../docker/api/client.ts';
import { isOwnedBy, labels, ownerLabels } from '../docker/labels.ts';
import type { MigrationInputs } from '../resources/inputs.ts';
import { placeContainer } from '../workloads/container/container.ts';
import { ContainerWorkload } from '../workloads/container/container-workload.ts';
import { runningMigrations } from '../workloads/container/running-migrations.ts';
import { workloadError } from '../workloads/workload-error.ts';
import { endOf, questionTimeout } from './run-to-end.ts';

/**
 * Runs a release's migration to its end, in a container of its own. One that runs already is waited for, and one that
 * has ended well is not run again: its container stays until that is recorded. One that was killed is made again. Where the
 * connection is lost, it is found again by its name until its time is over; nothing that may run is stopped before that,
 * unless the operator stops.
 * Throws LockageError while another one runs there, or with its last log lines when it fails or takes too long; no container of
 * the release has been started by then.
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
  if (left !== 'runs') {
    await refuseBesideOthers(context, inputs);
    await placeContainer(context, inputs);
  }
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

/** Before the change hosts have been asked already; since then somebody may have begun one. */
async function refuseBesideOthers(context: ProviderContext, inputs: MigrationInputs): Promise<void> {
  const { app, environment, host, spec } = inputs;
  const own = ownerLabels(app, environment, 'release');
  const there = await (await context.engine(host)).listContainers({ labels: own });
  refuseOtherMigrations(environment, runningMigrations(there, host.name, inputs), spec.name);
}

/** The exit code that an engine gives to what its host's power cut ended, and those of TERM and KILL. */
const killed = [255, 143, 137];

function wasKilled({ State: { ExitCode, OOMKilled } }: ContainerDetails): boolean {
  return killed.includes(ExitCode) && !OOMKilled;
}

/** Makes the error of a migration that failed. What explains it is read before its container goes. */
async function failed(container: ContainerWorkload, inputs: MigrationInputs, why: string) {
  const error = await workloadError(container, inputs, why);
  await container.remove();
  return error;
}
