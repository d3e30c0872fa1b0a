import { join } from 'node:path';
import { LockageError } from '../../pipelines/errors.ts';
import type { SecretInputs } from '../resources/inputs.ts';
import { runPulumi, type PulumiSettings } from './cli.ts';
import { lastLines, type StateResource } from './state.ts';

/** A version of a secret with its value. */
export interface RecordedSecret {
  readonly name: string;
  readonly version: string;
  readonly value: string;
}

/** Returns the secrets that an environment's state holds, decrypted. Throws LockageError. */
export async function readSecretValues(settings: PulumiSettings, stack: string): Promise<readonly RecordedSecret[]> {
  const inStack = { ...settings, folder: join(settings.folder, stack) };
  const result = await runPulumi(inStack, ['stack', 'export', '--show-secrets', '--stack', stack]);
  if (result.code !== 0) {
    throw new LockageError(`the secrets recorded for ${stack} cannot be read`, { details: lastLines(result.stderr) });
  }
  const { deployment } = JSON.parse(result.stdout) as { deployment: { resources?: StateResource[] } };
  return (deployment.resources ?? [])
    .filter(({ type }) => type === 'lockage:index:Secret')
    .map(({ inputs }) => {
      const { secret, version, value } = inputs as unknown as SecretInputs;
      return { name: secret, version, value: plain(value) };
    });
}

/** A decrypted secret stands in an export as an object with its plain text as JSON. */
function plain(value: unknown): string {
  if (typeof value === 'string') return value;
  return JSON.parse((value as { plaintext: string }).plaintext) as string;
}
