import type { ProviderContext } from '../context/provider-context.ts';
import type { SecretFilesInputs } from '../resources/inputs.ts';
import { fillSecretVolume, removeSecretVolume, secretParts } from './secret-volume.ts';

/** Makes the volume with an accessory's secrets. Throws LockageError. */
export async function fillAccessoryVolume(context: ProviderContext, inputs: SecretFilesInputs): Promise<void> {
  const { volume, delivery: _, ...rest } = inputs;
  if (volume !== undefined) await fillSecretVolume(context, { ...rest, volume, part: secretParts.accessory });
}

/** Removes it. */
export async function removeAccessoryVolume(context: ProviderContext, inputs: SecretFilesInputs): Promise<void> {
  if (inputs.volume !== undefined) await removeSecretVolume(await context.engine(inputs.host), inputs, inputs.volume);
}
