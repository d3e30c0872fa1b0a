/**
 * The variables that child processes get. An operator's shell and a CI job hold secrets of all kinds; a program sees
 * only what it is known to need.
 */

import { missingVariables } from './this-user.ts';

/** Variables by name; undefined removes one. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** The variables that any program may need: the user, the paths, the network settings and the Docker Engine. */
const common: readonly RegExp[] = [
  /^(PATH|HOME|USER|LOGNAME|SHELL|PWD|TZ|TMPDIR|TMP|TEMP|LD_LIBRARY_PATH)$/,
  /^(LANG|LANGUAGE|LC_[A-Z]+|TERM|COLORTERM|COLUMNS|NO_COLOR|FORCE_COLOR|CI)$/,
  /^(XDG_[A-Z_]+|DBUS_SESSION_BUS_ADDRESS|GNUPGHOME|GPG_TTY|PASSWORD_STORE_DIR)$/,
  /^(SSH_AUTH_SOCK|SSH_ASKPASS|SSH_ASKPASS_REQUIRE|DISPLAY|WAYLAND_DISPLAY|XAUTHORITY)$/,
  // By full name: many CI jobs keep their login in DOCKER_PASSWORD.
  /^DOCKER_(HOST|CONFIG|CONTEXT|CERT_PATH|TLS|TLS_VERIFY|API_VERSION|BUILDKIT|DEFAULT_PLATFORM)$/,
  /^(http|https|no|all|ftp)_proxy$/i,
  /^(SSL_CERT_FILE|SSL_CERT_DIR|NODE_EXTRA_CA_CERTS|APT_CONFIG|DEBIAN_FRONTEND)$/,
  /^LOCKAGE_(CACHE|STATE|ACTOR|FAILPOINT)$/,
];

/** The logins of clouds: for state that is kept in a bucket, and for a cloud's registry. */
const cloud = /^(AWS|AZURE|ARM|GOOGLE|CLOUDSDK)_/;

/** The variables that only some programs need, and others must not see. */
const special = {
  git: [/^GIT_/],
  // The Docker CLI starts BuildKit, git for a context that is a repository, and the credential helpers of clouds.
  docker: [/^(DOCKER|BUILDKIT|BUILDX|GIT)_/, cloud],
  // The private modules of a company come through git.
  go: [/^GO[A-Z]+$/, /^GIT_/],
  // PG…: a backend may be a PostgreSQL database. Of Pulumi's own only the login to its service: others say how states are
  // written (compressed, in another layout), or stand for options that no command of ours has.
  pulumi: [/^PULUMI_(ACCESS_TOKEN|CREDENTIALS_PATH)$/, /^PG[A-Z]+$/, cloud],
} as const;

/**
 * Returns the environment of a child process: of our own variables those on the list, and `extra`. This is the only
 * way to make one, except for daemons (`daemonEnvironment`) and an operator's own commands for secrets and signatures,
 * which get every variable.
 */
export function childEnvironment(extra: Variables = {}): NodeJS.ProcessEnv {
  return { ...picked(common), ...missingVariables(), ...extra };
}

/** Returns those of our variables that only such programs get, to pass to `childEnvironment`. */
export function variablesFor(program: keyof typeof special): Variables {
  return picked(special[program]);
}

/**
 * Returns the environment of a long-running process, which would otherwise keep an agent's socket or a proxy's
 * password for months.
 */
export function daemonEnvironment(): NodeJS.ProcessEnv {
  const { HOME } = missingVariables();
  return { ...picked([/^(PATH|HOME)$/]), ...(HOME === undefined ? {} : { HOME }) };
}

/**
 * Keeps calls between processes of this computer off a web proxy. Pulumi's are such, and the library that makes them asks
 * the proxy of `https_proxy` even for a port of the loopback.
 */
export function exemptLoopback(variables: NodeJS.ProcessEnv = process.env): void {
  const listed = (variables['no_grpc_proxy'] || variables['no_proxy'] || '').split(',').filter((host) => host !== '');
  variables['no_grpc_proxy'] = [...new Set([...listed, '127.0.0.1', 'localhost', '::1'])].join(',');
}

function picked(names: readonly RegExp[]): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([key]) => names.some((name) => name.test(key))));
}
