import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LockageError, messageOf } from '../../pipelines/errors.ts';
import { printable } from '../../pipelines/text/printable.ts';
import { childEnvironment, variablesFor } from '../system/environment.ts';
import { runToEnd } from '../system/process.ts';
import { homeFolder } from '../system/this-user.ts';

export type Credentials =
  | { readonly username: string; readonly password: string }
  /** exchanged for an access token at the registry's token service */
  | { readonly identityToken: string };

/** Docker's config.json, which other programs write to as well: any of it may be of another type. */
interface DockerConfig {
  readonly auths?: unknown;
  readonly credHelpers?: unknown;
  readonly credsStore?: unknown;
}

const helperDeadline = 20_000;

/**
 * Returns what `docker login` stored for a registry on this machine, in the file or a credential helper; undefined for
 * none. `folder` is where Docker's config.json lies: `$DOCKER_CONFIG` or `~/.docker` by default. Throws LockageError.
 */
export async function storedCredentials(
  registry: string,
  folder = defaultFolder(),
  deadline = helperDeadline,
): Promise<Credentials | undefined> {
  const config = await readConfig(join(folder, 'config.json'));
  const keys =
    registry === 'docker.io' ? ['https://index.docker.io/v1/', 'docker.io'] : [registry, `https://${registry}`];
  for (const key of keys) {
    const helper = textAt(config.credHelpers, key) ?? textAt(config, 'credsStore');
    const found = helper === undefined ? undefined : await askHelper(helper, key, deadline);
    if (found) return found;
    const stored = loginIn(memberOf(config.auths, key));
    if (stored) return stored;
  }
  // An older `docker login`, or a person, wrote it with more than the name.
  const other = Object.keys(Object(config.auths)).find((key) => keys.includes(hostOf(key)));
  return other === undefined ? undefined : loginIn(memberOf(config.auths, other));
}

function loginIn(stored: unknown): Credentials | undefined {
  const identityToken = textAt(stored, 'identitytoken');
  if (identityToken) return { identityToken };
  const auth = textAt(stored, 'auth');
  return auth ? decode(auth) : undefined;
}

/** Returns the registry in a key of Docker's config.json: `r.example.com` for `https://r.example.com/v2/`. */
function hostOf(key: string): string {
  return key.replace(/^https?:\/\//, '').split('/')[0] ?? '';
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
    return Object(JSON.parse(await readFile(file, 'utf8'))) as DockerConfig;
  } catch (cause) {
    // A home that is a file, or has none of it: as for Docker, nobody logged in.
    if (['ENOENT', 'ENOTDIR'].includes((cause as NodeJS.ErrnoException).code ?? '')) return {};
    throw new LockageError(`${file} cannot be read`, {
      hint: 'Log in again with `docker login`; DOCKER_CONFIG names another folder.',
      cause,
    });
  }
}

function memberOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Readonly<Record<string, unknown>>)[key]
    : undefined;
}

function textAt(value: unknown, key: string): string | undefined {
  const found = memberOf(value, key);
  return typeof found === 'string' && found !== '' ? found : undefined;
}

function decode(auth: string): Credentials | undefined {
  const text = Buffer.from(auth, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 1
    ? undefined
    : { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, '') };
}

async function askHelper(helper: string, registry: string, deadline: number): Promise<Credentials | undefined> {
  if (!/^[a-zA-Z0-9_.-]+$/.test(helper))
    throw new LockageError(`${JSON.stringify(helper.slice(0, 100))} is no name of a credential helper`);
  const { code, stdout, late } = await runToEnd(`docker-credential-${helper}`, ['get'], deadline, {
    stdin: registry,
    env: childEnvironment(variablesFor('docker')),
  }).catch((cause: unknown) => {
    if (cause instanceof LockageError) throw cause;
    throw new LockageError(`docker-credential-${helper} cannot be started: ${messageOf(cause)}`, { cause });
  });
  if (late)
    throw new LockageError(`docker-credential-${helper} did not answer within ${deadline / 1000} s`, {
      hint: `See what it waits for: \`echo ${registry} | docker-credential-${helper} get\`.`,
    });
  if (code !== 0) {
    // helpers report missing credentials like any failure, with this text of the protocol
    if (/credentials not found/i.test(stdout)) return undefined;
    const line = printable((stdout.trim().split('\n')[0] ?? '').slice(0, 300));
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
