import { LockageError } from '../../pipelines/errors.ts';
import type { Accessory, DataCommands } from '../../pipelines/model/environment.ts';
import type { ContainerDetails, Engine, ExecResult } from '../docker/api/client.ts';
import { programOf } from './accessory-check.ts';
import { endMark, type Backup } from './backup-file.ts';

/** The outcome of a restore: all of the data was taken in, none of it, or nobody knows. */
export type Outcome = 'all' | 'none' | 'unknown';

/** A way in for data of a known length. */
export interface Intake {
  readonly argv: readonly string[];
  /** texts on stdin around the data */
  readonly around: readonly [before: string, after: string];
  outcomeOf(result: ExecResult): Outcome;
}

/** The way an accessory's data is written, with a mark at its end, and taken in again. */
export interface DataProgram {
  readonly dump: readonly string[];
  /** the end of what the program writes when it is called by hand; absent: nobody knows */
  readonly ownEnd?: RegExp;
  intakeOf(backup: Pick<Backup, 'size' | 'length'>): Intake;
}

/** Returns how the data of an accessory is backed up. Throws LockageError when nobody knows. */
export async function dataProgramOf(
  engine: Engine,
  accessory: Accessory,
  found: ContainerDetails,
): Promise<DataProgram> {
  if (accessory.backup) return configured(accessory.backup);
  const image = await engine.inspectImage(found.Image);
  const isPostgres = found.Config.Env.some((line) => line.startsWith('PGDATA='));
  if (isPostgres || (image && programOf(image)?.program === 'PostgreSQL')) return postgres;
  throw new LockageError(`${engine.host}: nothing is known of how accessory ${accessory.name} is backed up`, {
    details: [`image: ${accessory.image}`],
    hint: 'Write the commands that do it as `backup: { command, restore }` of the accessory.',
  });
}

/**
 * Returns a command that writes a mark at its end. Only one that ended well has written all: a connection that breaks
 * ends the output in the same way.
 */
function marked(command: readonly string[]): string[] {
  return ['sh', '-c', `"$@" && printf '${endMark.replaceAll('\n', String.raw`\n`)}'`, 'sh', ...command];
}

const nothingTaken = 'lockage: nothing was taken in';

/**
 * Data that breaks off looks like data that ends. So all of it is kept in a file first, and the program, of which we know
 * nothing, is started only when as much has come as was sent.
 */
const keepFirst = `wanted=$1
shift
nothing() {
  echo "${nothingTaken}" >&2
  exit 1
}
file=$(mktemp) || nothing
if cat > "$file" && [ "$(wc -c < "$file")" -eq "$wanted" ] && exec 3< "$file"; then
  rm -f "$file"
  exec "$@" <&3 3<&-
fi
rm -f "$file"
nothing`;

/** Returns the data program of commands of the configuration. */
export function configured({ command, restore }: DataCommands): DataProgram {
  return {
    dump: marked(command),
    intakeOf: ({ length }) => ({
      argv: ['sh', '-c', keepFirst, 'sh', String(length), ...restore],
      around: ['', ''],
      outcomeOf: ({ code, stderr, wrote }) => {
        if (code === 0 && wrote) return 'all';
        return code === 1 && stderr.trimEnd().endsWith(nothingTaken) ? 'none' : 'unknown';
      },
    }),
  };
}

/** Logs in as the image was told to be set up: by a variable, or by the file of a secret, which its own entrypoint alone reads. */
const login = String.raw`set -eu
given() {
  eval "value=\${$1:-} file=\${$1_FILE:-}"
  if [ -z "$value" ] && [ -r "$file" ]; then value=$(cat "$file"); fi
  printf %s "$value"
}
user=$(given POSTGRES_USER)
user=${'$'}{user:-postgres}
database=$(given POSTGRES_DB)
database=${'$'}{database:-$user}
if [ -n "${'$'}{POSTGRES_PASSWORD_FILE:-}" ] && [ -r "$POSTGRES_PASSWORD_FILE" ]; then
  PGPASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
  export PGPASSWORD
fi
`;

/** Said by psql once the transaction is committed. */
const committed = 'lockage: committed';

/**
 * Leaves nothing in the database but what every new one has. A dump drops what is in it alone: a table that came later would hold on to
 * one of these, or be there already when its migration runs once more.
 */
const emptied = String.raw`SET LOCAL client_min_messages = warning;
DO $lockage$
DECLARE
  statement text;
BEGIN
  FOR statement IN
    SELECT format('DROP EVENT TRIGGER IF EXISTS %I CASCADE', evtname) FROM pg_event_trigger
    UNION ALL SELECT format('DROP PUBLICATION IF EXISTS %I CASCADE', pubname) FROM pg_publication
    UNION ALL SELECT format('DROP EXTENSION IF EXISTS %I CASCADE', extname) FROM pg_extension WHERE extname <> 'plpgsql'
    UNION ALL SELECT format('DROP FOREIGN DATA WRAPPER IF EXISTS %I CASCADE', fdwname) FROM pg_foreign_data_wrapper
    UNION ALL SELECT format('DROP SCHEMA IF EXISTS %I CASCADE', nspname) FROM pg_namespace
      WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')
  LOOP
    EXECUTE statement;
  END LOOP;
  FOREACH statement IN ARRAY ARRAY(
    SELECT format('DROP %s IF EXISTS %s CASCADE',
      CASE object.type WHEN 'composite type' THEN 'type' WHEN 'statistics object' THEN 'statistics' ELSE object.type END,
      object.identity)
    FROM pg_depend AS part, pg_identify_object(part.classid, part.objid, part.objsubid) AS object
    WHERE part.refclassid = 'pg_namespace'::regclass AND part.deptype = 'n'
      AND part.refobjid = (SELECT oid FROM pg_namespace WHERE nspname = 'public')
  ) LOOP
    EXECUTE statement;
  END LOOP;
END
$lockage$;
`;

/** Codes with which nothing is committed: psql stopped at an error (3) or failed itself (1), or was never started. */
const beforeCommit: ReadonlySet<number> = new Set([1, 3, 126, 127]);

/**
 * Text, with the names of roles, which belong to the whole server. It is taken in as one transaction that ends with the last
 * line that we send: psql's own `--single-transaction` commits also what breaks off.
 */
export const postgres: DataProgram = {
  dump: marked([
    'sh',
    '-c',
    String.raw`${login}psql -U "$user" -d "$database" -AtXq -c "SELECT format('DO \$do\$ BEGIN CREATE ROLE %I; EXCEPTION WHEN duplicate_object THEN NULL; END \$do\$;', rolname) FROM pg_roles WHERE rolname !~ '^pg_'"
exec pg_dump -U "$user" -d "$database" --clean --if-exists`,
  ]),
  ownEnd: /\n-- PostgreSQL database dump complete\n--\n+(?:\\unrestrict \w+\n+)?$/,
  // What was written by hand may be a part of the data: the rest stays.
  intakeOf: ({ size, length }) => ({
    argv: ['sh', '-c', `${login}exec psql -U "$user" -d "$database" -Xq -v ON_ERROR_STOP=1 -o /dev/null`],
    around: [`BEGIN;\n${length < size ? emptied : ''}`, `\nCOMMIT;\n\\echo ${committed}\n`],
    outcomeOf: ({ code, stdout, wrote }) => {
      if (code === 0) return wrote && stdout.trimEnd().endsWith(committed) ? 'all' : 'unknown';
      return beforeCommit.has(code) ? 'none' : 'unknown';
    },
  }),
};
