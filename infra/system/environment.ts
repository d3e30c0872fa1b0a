/**
 * The variables that child processes get. An operator's shell and a CI job hold secrets of all kinds; a program sees what
 * it is known to need, and nothing else.
 */

/** Variables by name; undefined removes one. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** What any program may need: who runs it, where things are, how to reach the network and a Docker Engine. */
const common: readonly RegExp[] = [
  /^(PATH|HOME|USER|LOGNAME|SHELL|PWD|TZ|TMPDIR|TMP|TEMP|LD_LIBRARY_PATH)$/,
  /^(LANG|LANGUAGE|LC_[A-Z]+|TERM|COLORTERM|COLUMNS|NO_COLOR|FORCE_COLOR|CI)$/,
  /^(XDG_[A-Z_]+|DBUS_SESSION_BUS_ADDRESS|GNUPGHOME|GPG_TTY|PASSWORD_STORE_DIR)$/,
  /^(SSH_AUTH_SOCK|SSH_ASKPASS|SSH_ASKPASS_REQUIRE|DISPLAY|WAYLAND_DISPLAY|XAUTHORITY)$/,
  // By name: DOCKER_PASSWORD is what many a CI job calls its login.
  /^DOCKER_(HOST|CONFIG|CONTEXT|CERT_PATH|TLS|TLS_VERIFY|API_VERSION|BUILDKIT|DEFAULT_PLATFORM)$/,
  /^(http|https|no|all|ftp)_proxy$/i,
  /^(SSL_CERT_FILE|SSL_CERT_DIR|NODE_EXTRA_CA_CERTS|APT_CONFIG|DEBIAN_FRONTEND)$/,
  /^LOCKAGE_(CACHE|STATE|ACTOR|FAILPOINT)$/,
];

/** Logins of clouds: for state that is kept in a bucket, and for a cloud's registry. */
const cloud = /^(AWS|AZURE|ARM|GOOGLE|CLOUDSDK)_/;

/** What only some programs need, and others must not see. */
const special = {
  git: [/^GIT_/],
  // The Docker CLI starts BuildKit, git for a context that is a repository, and the credential helpers of clouds.
  docker: [/^(DOCKER|BUILDKIT|BUILDX|GIT)_/, cloud],
  // The private modules of a company come through git.
  go: [/^GO[A-Z]+$/, /^GIT_/],
  // PG…: a backend may be a PostgreSQL database.
  pulumi: [/^PULUMI_/, /^PG[A-Z]+$/, cloud],
} as const;

/**
 * Returns the environment of a child process: of our own variables those on the list, and `extra`. This is the only way
 * to one, but for daemons (`daemonEnvironment`) and an operator's own secret commands, which are told everything.
 */
export function childEnvironment(extra: Variables = {}): NodeJS.ProcessEnv {
  return { ...picked(common), ...extra };
}

/** Returns those of our variables that only such programs get; to be handed to `childEnvironment`. */
export function variablesFor(program: keyof typeof special): Variables {
  return picked(special[program]);
}

/** Returns the environment of a process that stays: it would keep an agent's socket or a proxy's password for months. */
export function daemonEnvironment(): NodeJS.ProcessEnv {
  return picked([/^(PATH|HOME)$/]);
}

function picked(names: readonly RegExp[]): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([key]) => names.some((name) => name.test(key))));
}
