import { LockageError } from '../errors.ts';
import { canRestore, dataFolder, forkFile, keepAndServe, servePostgres } from './fork-scripts.ts';
import { bakeSettings, forkSettings } from './postgres-settings.ts';

/** A kind of database whose data can be baked into an image and forked. */
export type DatabaseKind = 'postgres' | 'mariadb' | 'redis';

export const databaseKinds: readonly DatabaseKind[] = ['postgres', 'mariadb', 'redis'];

/** What an image says of itself. */
export interface ImageFacts {
  readonly env: Readonly<Record<string, string>>;
  readonly command: readonly string[];
}

/** The account and database that an application uses. */
export interface Login {
  readonly user: string;
  readonly database: string;
}

/** How a server is run: by whom it is told to stop, and what says that it works. */
export interface ServerPlan {
  readonly env: Readonly<Record<string, string>>;
  readonly command: readonly string[];
}

interface Kind {
  readonly port: number;
  /** names of the server's program */
  readonly programs: readonly string[];
  /** variables of an image that only this kind has */
  readonly variables: readonly string[];
  /** ends it cleanly, with all data on disk and nothing to recover */
  readonly stopSignal: string;
  readonly scheme: string;
  /** a release's migration is meant for it unless the configuration says otherwise */
  readonly isMigrated: boolean;
  /** variables of its image that name the account and the database; with `_FILE`, a file with that name */
  readonly nameVariables: readonly string[];
  login(env: Readonly<Record<string, string>>): Login;
  /** what runs while it is baked; `absent`: folders of the accessory that are not there as it has them */
  bake(args: readonly string[], absent: readonly string[]): ServerPlan;
  /** succeeds once it answers over TCP, which the set-up phase of official images does not */
  probe(login: Login): readonly string[];
  /** takes a seed from stdin */
  client(login: Login): readonly string[];
  /** what a fork runs, in place of the image's entrypoint */
  fork(args: readonly string[], login: Login): readonly string[];
  /** one fork can serve one pristine copy after another; absent: each serves once */
  readonly reuse?: {
    /** succeeds in an image that has the programs for it */
    readonly probe: string;
    /** what its client is asked for the number of other accounts with passwords: these stay from one copy to the next */
    otherLogins(login: Login): string;
  };
  /** what a fork reads from its stdin before it serves, up to an empty line */
  forkInput(password: string, login: Login): string;
  /** a line of its output from which on it can be used */
  readonly ready: RegExp;
}

/** Whatever an accessory's settings are, its log says nothing of a statement with a password. */
const unlogged = [
  ...['log_statement=none', 'log_min_duration_statement=-1', 'log_min_duration_sample=-1'],
  ...['log_transaction_sample_rate=0', 'log_min_error_statement=panic'],
]
  .map((setting) => `SET ${setting};`)
  .join(' ');

const kinds: Readonly<Record<DatabaseKind, Kind>> = {
  postgres: {
    port: 5432,
    programs: ['postgres'],
    variables: ['PGDATA', 'PG_MAJOR'],
    stopSignal: 'SIGINT',
    scheme: 'postgres',
    isMigrated: true,
    nameVariables: ['POSTGRES_USER', 'POSTGRES_DB'],
    login: (env) => {
      const user = env['POSTGRES_USER'] || 'postgres';
      return { user, database: env['POSTGRES_DB'] || user };
    },
    bake: (args, absent) => ({
      env: { PGDATA: dataFolder },
      command: ['postgres', ...args, ...bakeSettings(args, absent)],
    }),
    probe: ({ user, database }) => ['pg_isready', '-q', '-h', '127.0.0.1', '-U', user, '-d', database],
    client: ({ user, database }) => [
      ...['psql', '-X', '-q', '-w', '-1', '-v', 'ON_ERROR_STOP=1'],
      ...['-U', user, '-d', database, '-f', '-'],
    ],
    fork: (args, { user }) => [...['/bin/sh', '-c', servePostgres, 'fork', user, ...args], ...forkSettings(args)],
    reuse: {
      probe: canRestore,
      otherLogins: ({ user }) =>
        `\\pset tuples_only\n\\pset format unaligned\nSELECT count(*) FROM pg_authid ` +
        `WHERE rolcanlogin AND rolpassword IS NOT NULL AND rolname <> '${user.replaceAll("'", "''")}';\n`,
    },
    forkInput: (password, { user }) =>
      `${unlogged} ALTER ROLE "${user.replaceAll('"', '""')}" PASSWORD '${password}';\n`,
    ready: /^lockage: ready$/,
  },
  mariadb: {
    port: 3306,
    programs: ['mariadbd', 'mysqld'],
    variables: ['MARIADB_VERSION'],
    stopSignal: 'SIGTERM',
    scheme: 'mysql',
    isMigrated: true,
    nameVariables: ['MARIADB_USER', 'MYSQL_USER', 'MARIADB_DATABASE', 'MYSQL_DATABASE'],
    login: (env) => ({
      user: env['MARIADB_USER'] || env['MYSQL_USER'] || 'root',
      database: env['MARIADB_DATABASE'] || env['MYSQL_DATABASE'] || 'mysql',
    }),
    // A fork that writes copies whole files: a log of the usual 96 MB would be most of it.
    bake: (args) => ({
      env: {},
      command: ['mariadbd', ...args, `--datadir=${dataFolder}`, '--innodb-log-file-size=8M'],
    }),
    probe: () => ['mariadb-admin', '--no-defaults', 'ping', '--silent', '-h', '127.0.0.1'],
    client: ({ user, database }) => ['mariadb', '--no-defaults', '--batch', '-u', user, database],
    fork: (args) => [
      ...['/bin/sh', '-c', keepAndServe, 'fork', 'mariadbd', ...args],
      ...[`--datadir=${dataFolder}`, `--init-file=${forkFile}`, '--socket=/tmp/server.sock'],
      ...['--pid-file=/tmp/server.pid', '--tmpdir=/tmp', '--bind-address=*', '--skip-name-resolve', '--skip-log-bin'],
      ...['--innodb-log-file-size=8M', '--innodb-buffer-pool-size=16M', '--innodb-doublewrite=0'],
      ...['--innodb-flush-log-at-trx-commit=0', '--performance-schema=0', '--innodb-buffer-pool-load-at-startup=0'],
    ],
    forkInput: (password, { user }) => {
      const name = `'${user.replaceAll(/['\\]/g, '\\$&')}'`;
      const given = `IDENTIFIED BY '${password}'`;
      const accounts = [...new Set([name, "'root'"])].flatMap((each) => [`${each}@'%'`, `${each}@'localhost'`]);
      return accounts.map((account) => `ALTER USER IF EXISTS ${account} ${given};\n`).join('');
    },
    ready: /ready for connections/,
  },
  redis: {
    port: 6379,
    programs: ['redis-server'],
    variables: ['REDIS_VERSION'],
    stopSignal: 'SIGTERM',
    scheme: 'redis',
    isMigrated: false,
    nameVariables: [],
    // Its own client takes a URL without a user for one with an empty name.
    login: () => ({ user: 'default', database: '0' }),
    bake: (args) => ({
      env: {},
      command: [
        ...['redis-server', ...args, '--dir', dataFolder, '--dbfilename', 'dump.rdb', '--appendonly', 'no'],
        ...['--save', '3600 1', '--requirepass', '', '--protected-mode', 'no'],
      ],
    }),
    probe: () => ['redis-cli', '-e', 'ping'],
    client: () => ['redis-cli', '-e'],
    fork: (args) => ['/bin/sh', '-c', keepAndServe, 'fork', 'redis-server', forkFile, ...args],
    forkInput: (password) =>
      [
        ...['bind * -::*', 'port 6379', `requirepass ${password}`, `dir ${dataFolder}`, 'dbfilename dump.rdb'],
        ...['appendonly no', 'save ""', 'daemonize no', 'logfile ""', ''],
      ].join('\n'),
    ready: /Ready to accept connections/,
  },
};

/** Returns what is known of a kind. */
export function kindNamed(kind: DatabaseKind): Kind {
  return kinds[kind];
}

/**
 * Returns the kind of an accessory: as its configuration says, else as its image says of itself. Throws LockageError that names
 * the key to set.
 */
export function kindOf(accessory: string, image: string, facts: ImageFacts, configured?: DatabaseKind): DatabaseKind {
  if (configured) return configured;
  const program = basename(facts.command[0] ?? '');
  const found = databaseKinds.filter(
    (kind) => kinds[kind].variables.some((name) => name in facts.env) || kinds[kind].programs.includes(program),
  );
  const [only, another] = found;
  if (only && !another) return only;
  throw new LockageError(`what kind of database ${accessory} is cannot be seen from its image ${image}`, {
    details: [found.length > 1 ? `it could be ${found.join(' or ')}` : 'it has none of the programs that are known'],
    hint: `Write \`accessories.${accessory}.kind\`: ${databaseKinds.join(', ')}.`,
  });
}

/** Returns the arguments of a server, without its program. Throws LockageError where another program is run. */
export function serverArguments(accessory: string, kind: DatabaseKind, command: readonly string[]): readonly string[] {
  const [program = ''] = command;
  if (program === '' || program.startsWith('-')) return command.filter((word) => word !== '');
  if (kinds[kind].programs.includes(basename(program))) return command.slice(1);
  throw new LockageError(`${accessory} is started by ${program}, so its data cannot be put elsewhere`, {
    hint: `Let \`accessories.${accessory}.command\` begin with ${kinds[kind].programs.join(' or ')}.`,
  });
}

/** The place of a fork, and how one logs in. */
export interface ForkAddress extends Login {
  readonly host: string;
  readonly port: number;
  readonly password: string;
}

/** Returns a fork's URL, as the drivers of its kind take it. */
export function urlOf(kind: DatabaseKind, { user, password, host, port, database }: ForkAddress): string {
  const login = `${encodeURIComponent(user)}:${encodeURIComponent(password)}`;
  return `${kinds[kind].scheme}://${login}@${host}:${port}/${encodeURIComponent(database)}`;
}

/** Returns the variables by which a fork is found: the URL, and those that the clients of its kind read by themselves. */
export function variablesOf(kind: DatabaseKind, address: ForkAddress): Record<string, string> {
  const { user, password, host, port, database } = address;
  const url = { DATABASE_URL: urlOf(kind, address) };
  if (kind === 'redis') return { ...url, REDIS_URL: urlOf(kind, address) };
  if (kind === 'mariadb') return { ...url, MYSQL_HOST: host, MYSQL_TCP_PORT: String(port), MYSQL_PWD: password };
  return { ...url, PGHOST: host, PGPORT: String(port), PGUSER: user, PGPASSWORD: password, PGDATABASE: database };
}

/**
 * Returns the variables for a test runner: those of the first worker's database as any client reads them, and the URL of each
 * worker's, by its number from 1.
 */
export function workerVariables(kind: DatabaseKind, workers: readonly ForkAddress[]): Record<string, string> {
  const [first] = workers;
  const each = workers.map((worker, index) => [`LOCKAGE_DATABASE_URL_${index + 1}`, urlOf(kind, worker)]);
  return { ...(first ? variablesOf(kind, first) : {}), ...(Object.fromEntries(each) as Record<string, string>) };
}

function basename(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
