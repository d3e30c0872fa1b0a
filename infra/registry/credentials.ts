import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LockageError } from '../../pipelines/errors.ts';
import { childEnvironment, variablesFor } from '../system/environment.ts';
import { runToEnd } from '../system/process.ts';
import { homeFolder } from '../system/this-user.ts';

export type Credentials =
  | { readonly username: string; readonly password: string }
  /** exchanged for an access token at the registry's token service */
  | { readonly identityToken: string };

interface DockerConfig {
  readonly auths?: Readonly<Record<string, { readonly auth?: string; readonly identitytoken?: string }>>;
  readonly credHelpers?: Readonly<Record<string, string>>;
  readonly credsStore?: string;
}

const helperDeadline = 20_000;

/**
 * Returns what `docker login` stored for a registry on this machine, in the file or a credential helper; undefined for
 * none. `folder` is where Docker's config.json lies: `$DOCKER_CONFIG` or `~/.docker` by default. Throws LockageError.
 */
export async function storedCredentials(registry: string, folder = defaultFolder()): Promise<Credentials | undefined> {
  const config = await readConfig(join(folder, 'config.json'));
  const keys =
    registry === 'docker.io' ? ['https://index.docker.io/v1/', 'docker.io'] : [registry, `https://${registry}`];
  for (const key of keys) {
    const helper = config.credHelpers?.[key] ?? config.credsStore;
    const found = helper === undefined ? undefined : await askHelper(helper, key);
    if (found) return found;
    const stored = config.auths?.[key];
    if (stored?.identitytoken) return { identityToken: stored.identitytoken };
    if (stored?.auth) return decode(stored.auth);
  }
  return undefined;
}

/** Returns a login in the form that an engine takes with a pull. */
export function engineLogin(login: Readonly<Record<string, string>>): string {
  return Buffer.from(JSON.stringify(login)).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
}

function defaultFolder(): string {
  return process.env.DOCKER_CONFIG || join(homeFolder(), '.docker');
}

async function readConfig(file: string): Promise<DockerConfig> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as DockerConfig;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new LockageError(`${file} cannot be read`, { hint: 'Log in again with `docker login`.', cause });
  }
}

function decode(auth: string): Credentials | undefined {
  const text = Buffer.from(auth, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 1
    ? undefined
    : { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, '') };
}

async function askHelper(helper: string, registry: string): Promise<Credentials | undefined> {
  if (!/^[a-zA-Z0-9_.-]+$/.test(helper)) throw new LockageError(`"${helper}" is no name of a credential helper`);
  const { code, stdout, late } = await runToEnd(`docker-credential-${helper}`, ['get'], helperDeadline, {
    stdin: registry,
    env: childEnvironment(variablesFor('docker')),
  });
  if (late) throw new LockageError(`docker-credential-${helper} did not answer within ${helperDeadline / 1000} s`);
  if (code !== 0) {
    // helpers report missing credentials like any failure, with this text of the protocol
    if (/credentials not found/i.test(stdout)) return undefined;
    const [line = ''] = stdout.trim().split('\n');
    throw new LockageError(`docker-credential-${helper} has no credentials for ${registry}`, {
      // It may have printed the login before it failed.
      details: line === '' || line.startsWith('{') ? [] : [line],
      hint: `Log in with \`docker login ${registry}\`.`,
    });
  }
  const { Username, Secret } = readLogin(stdout) ?? {};
  if (typeof Username !== 'string' || typeof Secret !== 'string') {
    throw new LockageError(`docker-credential-${helper} printed something else than a login for ${registry}`, {
      hint: `It has to print the login and nothing else: run \`echo ${registry} | docker-credential-${helper} get\`.`,
    });
  }
  return Username === '<token>' ? { identityToken: Secret } : { username: Username, password: Secret };
}

/** Reads a login; null when it is not JSON: the parser's error would quote it, and so perhaps a secret. */
function readLogin(stdout: string): { readonly Username?: unknown; readonly Secret?: unknown } | null {
  try {
    return JSON.parse(stdout) as object | null;
  } catch {
    return null;
  }
}
