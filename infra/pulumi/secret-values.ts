import { LockageError } from '../../pipelines/errors.ts';
import type { SecretKey, SecretName } from '../context/secret-key.ts';
import { runPulumi, settingsIn, type PulumiSettings } from './cli.ts';
import { PulumiError, translate } from './errors.ts';
import type { Deployment } from './without-resources.ts';
import { exported, lastLines, type StateResource } from './state.ts';

const type = 'lockage:index:Secret';

/** A version of a secret with its value. */
export interface RecordedSecret extends SecretName {
  readonly value: string;
}

/** A secret as a state holds it: sealed, or as earlier versions recorded it. */
interface Recorded {
  readonly secret: string;
  readonly version: string;
  readonly sealed?: unknown;
  readonly value?: unknown;
}

/** Returns the secrets that an environment's state holds, decrypted and opened. Throws LockageError. */
export async function readSecretValues(
  settings: PulumiSettings,
  stack: string,
  key: SecretKey,
): Promise<readonly RecordedSecret[]> {
  const result = await runPulumi(settingsIn(settings, stack), ['stack', 'export', '--show-secrets', '--stack', stack]);
  if (result.code !== 0) throw notRead(stack, result.stderr);
  const { deployment } = exported<{ resources?: StateResource[] }>(result.stdout, stack);
  const secrets = (deployment.resources ?? []).filter((resource) => resource.type === type);
  return Promise.all(secrets.map(({ inputs }) => opened(inputs as unknown as Recorded, stack, key)));
}

function notRead(stack: string, output: string): unknown {
  if (/incorrect passphrase/.test(output)) return translate(new PulumiError(output), stack);
  return new LockageError(`the secrets recorded for ${stack} cannot be read`, { details: lastLines(output) });
}

async function opened(recorded: Recorded, stack: string, key: SecretKey): Promise<RecordedSecret> {
  const { secret: name, version, sealed, value } = recorded;
  if (sealed === undefined) return { name, version, value: plain(value) };
  const found = await key.open({ name, version }, plain(sealed));
  if (found !== undefined) return { name, version, value: found };
  throw new LockageError(`the passphrase does not open secret ${name} (version ${version}) of ${stack}`, {
    details: ['it was sealed with another passphrase, or is damaged'],
    hint: 'Use the passphrase that the state was made with: Pulumi’s own commands that change it do not know these values.',
  });
}

/** Returns the plain text of a decrypted secret, which stands in an export as an object with JSON. */
function plain(value: unknown): string {
  if (typeof value === 'string') return value;
  return JSON.parse((value as { plaintext: string }).plaintext) as string;
}

/** Returns whether a state holds secrets that are not sealed, as earlier versions of Lockage recorded them. */
export function hasUnsealed(resources: readonly { readonly type: string; readonly inputs?: object }[]): boolean {
  return resources.some((resource) => resource.type === type && !('sealed' in (resource.inputs ?? {})));
}

/** Returns a deployment, exported with its secrets in clear, with all of those sealed. */
export async function withSealed(deployment: Deployment, key: SecretKey): Promise<Deployment> {
  const resources = (deployment.resources ?? []).map(async (resource) => {
    if (!hasUnsealed([resource])) return resource;
    const { value, ...inputs } = resource.inputs as Recorded;
    const sealed = await key.seal({ name: inputs.secret, version: inputs.version }, plain(value));
    const secret = { [secretMark]: secretKind, plaintext: JSON.stringify(sealed) };
    const { value: _, ...outputs } = resource.outputs as Recorded;
    return { ...resource, inputs: { ...inputs, sealed: secret }, outputs: { ...outputs, sealed: secret } };
  });
  return { ...deployment, resources: await Promise.all(resources) };
}

/** How Pulumi marks a value in an export, and that it is a secret. */
const secretMark = '4dabf18193072939515e22adb298388d';
const secretKind = '1b47061264138c4ac30d75fd1eb44270';
