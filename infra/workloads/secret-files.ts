import { type ProviderContext, edgeOf } from '../context/provider-context.ts';
import type { SecretFilesInputs } from '../resources/inputs.ts';
import { LockageError } from '../../pipelines/errors.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { environmentNames } from '../../pipelines/model/names.ts';

/** Writes an accessory's secrets, as soon as its host's edge runs: both are made at the same time. */
export async function deliverAccessorySecrets(context: ProviderContext, inputs: SecretFilesInputs): Promise<void> {
  const engine = await context.engine(inputs.host);
  const { edge } = environmentNames(inputs.app, inputs.environment);
  for (const end = Date.now() + 60_000; !(await engine.inspectContainer(edge))?.State.Running;) {
    if (Date.now() > end) throw new LockageError(`${inputs.host.name}: the edge proxy ${edge} did not start`);
    await sleep(200);
  }
  await deliverSecretFiles(context, inputs);
}

/** Writes the secrets of a container to its host's memory. Throws when a value is not known to this process. */
export async function deliverSecretFiles(
  context: ProviderContext,
  inputs: Omit<SecretFilesInputs, 'delivery'>,
): Promise<void> {
  const edge = await edgeOf(context, inputs, inputs.host);
  const values: Record<string, string> = {};
  for (const [name, version] of Object.entries(inputs.secrets)) values[name] = context.secrets.get(name, version);
  await edge.deliverSecrets(inputs.container, values);
}
