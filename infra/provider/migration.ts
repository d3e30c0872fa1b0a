import { ExitCode, LockageError } from '../../pipelines/errors.ts';
import { createContainer, removeContainer } from './container.ts';
import type { MigrationInputs } from './types.ts';
import { failure } from './verification.ts';
import type { Workshop } from './workshop.ts';

/**
 * Runs a release's migration to its end, in a container of its own that is removed afterwards. Throws LockageError with
 * its last log lines when it fails or takes too long; no container of the release has been started by then.
 */
export async function runMigration(workshop: Workshop, inputs: MigrationInputs): Promise<void> {
  const { host, spec } = inputs;
  const engine = await workshop.engine(host);
  const started = Date.now();
  await createContainer(workshop, inputs);
  try {
    const code = await engine.waitContainer(spec.name, { deadline: inputs.timeout, signal: workshop.signal });
    if (code !== 0) throw await failure(engine, inputs, 'failed', []);
    workshop.progress({ host: host.name, step: 'migrated', detail: `${spec.name} in ${Date.now() - started} ms` });
  } catch (error) {
    if (error instanceof LockageError && error.code === ExitCode.rolledBack) throw error;
    if (workshop.signal.aborted) throw error;
    throw await failure(engine, inputs, `did not end within ${inputs.timeout / 1000} s`, []);
  } finally {
    await removeContainer(workshop, inputs);
  }
}
