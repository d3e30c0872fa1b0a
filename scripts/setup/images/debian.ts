/**
 * Base images from Debian packages: a minimal root file system by mmdebstrap, imported as one layer. They have the same
 * user names, variables and paths as the official images they replace.
 */
import { suite } from '../../../infra/machines/image/image.ts';
import { mariadbEntrypoint, redisEntrypoint } from './database-entrypoints.ts';
import { importArchive } from './import.ts';
import { postgresEntrypoint } from './postgres-entrypoint.ts';

export const nodeRecipe = 'node-1';
export const postgresRecipe = 'postgres-3';
export const mariadbRecipe = 'mariadb-1';
export const redisRecipe = 'redis-1';

const unneeded = [
  '/usr/share/man/*',
  '/usr/share/doc/*',
  '/usr/share/info/*',
  '/usr/share/locale/*',
  '/usr/share/i18n/*',
  // The JIT compiler is 110 MB; without it PostgreSQL interprets, as it does for short queries anyway.
  '/usr/lib/*/libLLVM*',
  '/usr/lib/postgresql/*/lib/bitcode/*',
  '/usr/lib/postgresql/*/lib/llvmjit*',
];

interface Bootstrap {
  readonly packages: readonly string[];
  /** shell lines run with the new root as $1 before the packages are installed */
  readonly before?: string;
  /** the same, after they are installed */
  readonly after: string;
  readonly instructions: readonly string[];
}

/** Builds the Node.js image `name`: `node` in the PATH and the user `node` with uid 1000. */
export async function buildNode(
  name: string,
  changes: readonly string[],
  progress: (line: string) => void,
): Promise<void> {
  await bootstrap(name, progress, {
    packages: ['nodejs', 'ca-certificates'],
    after: [
      'echo "node:x:1000:1000::/home/node:/bin/sh" >> "$1/etc/passwd"',
      'echo "node:x:1000:" >> "$1/etc/group"',
      'install -d -o 1000 -g 1000 "$1/home/node"',
    ].join('\n'),
    instructions: ['CMD ["node"]', ...changes],
  });
}

/** Builds the PostgreSQL image `name`, with the official image's variables, data folder and user id. */
export async function buildPostgres(
  name: string,
  changes: readonly string[],
  progress: (line: string) => void,
): Promise<void> {
  await bootstrap(name, progress, {
    packages: ['postgresql'],
    before: [
      'mkdir -p "$1/etc/postgresql-common"',
      'echo "create_main_cluster = false" > "$1/etc/postgresql-common/createcluster.conf"',
      'echo "postgres:x:999:999::/var/lib/postgresql:/bin/sh" >> "$1/etc/passwd"',
      'echo "postgres:x:999:" >> "$1/etc/group"',
    ].join('\n'),
    after: [
      // Only now: the package's own set-up links these pages.
      'rm -rf "$1"/usr/share/postgresql/*/man',
      'ln -s "$(basename "$(echo "$1"/usr/lib/postgresql/[0-9]*)")" "$1/usr/lib/postgresql/current"',
      entrypoint(postgresEntrypoint),
      'rm -rf "$1/run/postgresql" "$1/var/lib/postgresql"',
      'install -d -o 999 -g 999 -m 3777 "$1/run/postgresql"',
      'install -d -o 999 -g 999 -m 755 "$1/var/lib/postgresql"',
      'install -d -o 999 -g 999 -m 700 "$1/var/lib/postgresql/data"',
    ].join('\n'),
    instructions: [
      'ENV PATH=/usr/lib/postgresql/current/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      'ENV LANG=C.UTF-8',
      'ENV PGDATA=/var/lib/postgresql/data',
      'VOLUME /var/lib/postgresql/data',
      'EXPOSE 5432',
      'ENTRYPOINT ["docker-entrypoint.sh"]',
      'CMD ["postgres"]',
      ...changes,
    ],
  });
}

/** Builds the MariaDB image `name`, with the official image's variables, data folder and user id. */
export async function buildMariadb(
  name: string,
  changes: readonly string[],
  progress: (line: string) => void,
): Promise<void> {
  await bootstrap(name, progress, {
    packages: ['mariadb-server-core', 'mariadb-client'],
    after: [
      'echo "mysql:x:999:999::/var/lib/mysql:/bin/sh" >> "$1/etc/passwd"',
      'echo "mysql:x:999:" >> "$1/etc/group"',
      entrypoint(mariadbEntrypoint),
      'install -d -o 999 -g 999 -m 755 "$1/run/mysqld"',
      'install -d -o 999 -g 999 -m 700 "$1/var/lib/mysql"',
    ].join('\n'),
    instructions: [
      'ENV MARIADB_VERSION=10.11',
      'VOLUME /var/lib/mysql',
      'EXPOSE 3306',
      'ENTRYPOINT ["docker-entrypoint.sh"]',
      'CMD ["mariadbd"]',
      ...changes,
    ],
  });
}

/** Builds the Redis image `name`, with the official image's folder and user id. */
export async function buildRedis(
  name: string,
  changes: readonly string[],
  progress: (line: string) => void,
): Promise<void> {
  await bootstrap(name, progress, {
    packages: ['redis-server'],
    before: ['echo "redis:x:999:999::/data:/bin/sh" >> "$1/etc/passwd"', 'echo "redis:x:999:" >> "$1/etc/group"'].join(
      '\n',
    ),
    after: [entrypoint(redisEntrypoint), 'install -d -o 999 -g 999 -m 755 "$1/data"'].join('\n'),
    instructions: [
      'ENV REDIS_VERSION=7',
      'WORKDIR /data',
      'VOLUME /data',
      'EXPOSE 6379',
      'ENTRYPOINT ["docker-entrypoint.sh"]',
      'CMD ["redis-server"]',
      ...changes,
    ],
  });
}

/** Returns shell lines that write a start script into the new root. */
function entrypoint(script: string): string {
  const file = '"$1/usr/local/bin/docker-entrypoint.sh"';
  return `cat > ${file} <<'END_OF_ENTRYPOINT'\n${script}END_OF_ENTRYPOINT\nchmod 755 ${file}`;
}

async function bootstrap(image: string, progress: (line: string) => void, plan: Bootstrap): Promise<void> {
  const hook = (name: string, script?: string) => (script ? [`--${name}-hook=set -eu\n${script}`] : []);
  await importArchive(
    [
      'mmdebstrap',
      '--quiet',
      '--variant=essential',
      // The socket's folder belongs to the image.
      '--skip=cleanup/run',
      `--include=${plan.packages.join(',')}`,
      ...unneeded.map((pattern) => `--dpkgopt=path-exclude=${pattern}`),
      '--aptopt=APT::Install-Recommends "false"',
      ...hook('essential', plan.before),
      ...hook('customize', plan.after),
      await suite(),
      '-',
    ],
    { name: image, instructions: plan.instructions },
    600_000,
  );
  progress(`${image} is in the engine`);
}
