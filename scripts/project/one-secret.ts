import type { SecretSource } from '../../pipelines/model/secret-source.ts';
import type { Redactor } from '../tools/redactor.ts';
import { readSecrets, type SecretContext } from './secrets.ts';

/** Reads a secret of the command itself where it lies, and masks it from then on. Throws LockageError as `readSecrets` does. */
export async function readOneSecret(
  name: string,
  source: SecretSource,
  { redactor, ...context }: SecretContext & { readonly redactor: Redactor },
): Promise<string> {
  const { [name]: value = '' } = await readSecrets({ [name]: source }, [name], context);
  redactor.add([value]);
  return value;
}
