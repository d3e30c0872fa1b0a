import { WorkloadFailedError } from '../../pipelines/errors.ts';
import type { ProviderContext } from '../context/provider-context.ts';
import type { MigrationInputs } from '../resources/inputs.ts';
import { ContainerWorkload } from '../workloads/container/container-workload.ts';
import { workloadError } from '../workloads/workload-error.ts';

/**
 * Runs a release's migration to its end, in a container of its own that is removed afterwards. Throws LockageError with
 * its last log lines when it fails or takes too long; no container of the release has been started by then.
 */
export async function runMigration(context: ProviderContext, inputs: MigrationInputs): Promise<void> {
  const { host, spec } = inputs;
  const engine = await context.engine(host);
  const started = Date.now();
  const container = new ContainerWorkload(context, inputs);
  await container.create();
  try {
    const code = await engine.waitContainer(spec.name, { deadline: inputs.timeout, signal: context.signal });
    if (code !== 0) throw await workloadError(container, inputs, 'failed');
    context.progress({ host: host.name, step: 'migrated', detail: spec.name, took: Date.now() - started });
  } catch (error) {
    if (error instanceof WorkloadFailedError) throw error;
    if (context.signal.aborted) throw error;
    throw await workloadError(container, inputs, `did not end within ${inputs.timeout / 1000} s`);
  } finally {
    await container.remove();
  }
}
