import { join } from 'node:path';
import { LockageError } from '../../pipelines/errors.ts';
import type { SecretInputs } from '../resources/inputs.ts';
import { runPulumi, type PulumiSettings } from './cli.ts';
import { lastLines, type StateResource } from './state.ts';

/** The secret values that an environment's state holds, decrypted: `NAME@version` → value. Throws LockageError. */
export async function readSecretValues(settings: PulumiSettings, stack: string): Promise<Record<string, string>> {
  const inStack = { ...settings, folder: join(settings.folder, stack) };
  const result = await runPulumi(inStack, ['stack', 'export', '--show-secrets', '--stack', stack]);
  if (result.code !== 0) {
    throw new LockageError(`the secrets recorded for ${stack} cannot be read`, { details: lastLines(result.stderr) });
  }
  const { deployment } = JSON.parse(result.stdout) as { deployment: { resources?: StateResource[] } };
  const values: Record<string, string> = {};
  for (const resource of deployment.resources ?? []) {
    if (resource.type !== 'lockage:index:Secret') continue;
    const { secret, version, value } = resource.inputs as unknown as SecretInputs;
    values[`${secret}@${version}`] = plain(value);
  }
  return values;
}

/** A decrypted secret stands in an export as an object with its plain text as JSON. */
function plain(value: unknown): string {
  if (typeof value === 'string') return value;
  return JSON.parse((value as { plaintext: string }).plaintext) as string;
}
