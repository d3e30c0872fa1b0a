import { createReadStream } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { LockageError } from '../../pipelines/errors.ts';
import type { Accessory, DataCommands } from '../../pipelines/model/environment.ts';
import type { ContainerBody, ContainerDetails, Engine } from '../docker/api/client.ts';
import { ownerLabels } from '../docker/labels.ts';
import type { Place } from '../resources/inputs.ts';
import { streamAtomic } from '../system/atomic-file.ts';
import { accessoryName, untilAccessoryWorks } from '../workloads/foundation/accessory-container.ts';
import { namesBeside } from '../workloads/foundation/standing-container.ts';
import { removeOwn } from '../workloads/own-container.ts';
import { programOf } from './accessory-check.ts';

/** A day: data can be large. */
const deadline = 24 * 3600_000;

/** How an accessory's data is written and taken in, and whether that happens as a whole or not at all. */
export interface DataProgram extends DataCommands {
  readonly whole: boolean;
}

/** Returns how the data of an accessory is backed up. Throws LockageError when nobody knows. */
export async function dataProgramOf(
  engine: Engine,
  accessory: Accessory,
  found: ContainerDetails,
): Promise<DataProgram> {
  if (accessory.backup) return { ...accessory.backup, whole: false };
  const image = await engine.inspectImage(found.Image);
  const isPostgres = found.Config.Env.some((line) => line.startsWith('PGDATA='));
  if (isPostgres || (image && programOf(image)?.program === 'PostgreSQL')) return postgres;
  throw new LockageError(`${engine.host}: nothing is known of how accessory ${accessory.name} is backed up`, {
    details: [`image: ${accessory.image}`],
    hint: 'Write the commands that do it as `backup: { command, restore }` of the accessory.',
  });
}

const login = String.raw`set -eu
user=${'$'}{POSTGRES_USER:-postgres}
database=${'$'}{POSTGRES_DB:-$user}
if [ -n "${'$'}{POSTGRES_PASSWORD_FILE:-}" ] && [ -r "$POSTGRES_PASSWORD_FILE" ]; then
  PGPASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
  export PGPASSWORD
fi
`;

/** Text, so that it is taken in as one transaction; with the names of roles, which belong to the whole server. */
const postgres: DataProgram = {
  command: [
    'sh',
    '-c',
    String.raw`${login}psql -U "$user" -d "$database" -AtXq -c "SELECT format('DO \$do\$ BEGIN CREATE ROLE %I; EXCEPTION WHEN duplicate_object THEN NULL; END \$do\$;', rolname) FROM pg_roles WHERE rolname !~ '^pg_'"
exec pg_dump -U "$user" -d "$database" --clean --if-exists`,
  ],
  restore: [
    'sh',
    '-c',
    String.raw`${login}exec psql -U "$user" -d "$database" -Xq -v ON_ERROR_STOP=1 --single-transaction -o /dev/null`,
  ],
  whole: true,
};

/** Writes the data of a container to a file, as a whole or not at all. Returns its size in bytes. Throws LockageError. */
export async function dumpInto(
  engine: Engine,
  container: string,
  { command }: DataCommands,
  { file, signal }: { readonly file: string; readonly signal: AbortSignal },
): Promise<number> {
  return streamAtomic(file, async (stdout) => {
    let bytes = 0;
    const { code, stderr } = await engine.exec(container, command, {
      deadline,
      signal,
      stdout,
      maxOutput: 4096,
      onOutput: (stream, data) => {
        if (stream === 'stdout') bytes += data.length;
      },
    });
    if (code !== 0) throw commandFailed(engine, container, `dump ended with exit code ${code}`, stderr);
    if (bytes === 0) throw commandFailed(engine, container, 'dump is empty', stderr);
    return bytes;
  });
}

/** Gives a container the data of a file. Throws LockageError. */
export async function takeIn(
  engine: Engine,
  container: string,
  { restore }: DataCommands,
  { file, signal }: { readonly file: string; readonly signal: AbortSignal },
): Promise<void> {
  const stdin = createReadStream(file);
  const { code, stderr } = await engine.exec(container, restore, { deadline, signal, stdin, maxOutput: 4096 });
  if (code !== 0) throw commandFailed(engine, container, `did not take the data in: exit code ${code}`, stderr);
}

/**
 * Proves that a file can be restored, in a container like the accessory's with no network and data of its own, which is removed
 * again. Throws LockageError.
 */
export async function proveRestore(
  engine: Engine,
  place: Place & { readonly accessory: Accessory; readonly found: ContainerDetails },
  commands: DataCommands,
  from: { readonly file: string; readonly signal: AbortSignal },
): Promise<void> {
  const { accessory } = place;
  const { trial: name } = namesBeside(accessoryName({ ...place, name: accessory.name }));
  await removeOwn(engine, place, name);
  try {
    await engine.createContainer(name, trialBody(place));
    await engine.startContainer(name);
    await untilAccessoryWorks(engine, name, accessory.health?.timeout, from.signal);
    await afterItsStart(() => takeIn(engine, name, commands, from));
  } finally {
    await removeOwn(engine, place, name).catch(() => undefined);
  }
}

/** Some images answer already while they make their first data, and begin once more after it. */
async function afterItsStart(work: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (tries >= 3) throw error;
      await sleep(3000);
    }
  }
}

function trialBody({ app, environment, accessory, found }: Parameters<typeof proveRestore>[1]): ContainerBody {
  const { Env, Cmd, Healthcheck } = found.Config;
  const volumes = Object.values(accessory.volumes).map((Target) => ({ Type: 'volume', Target }));
  const secrets = found.Mounts.filter(({ Name = '' }) => Name.endsWith('.secrets')).map(({ Name, Destination }) => ({
    ...{ Type: 'volume', Source: Name, Target: Destination, ReadOnly: true },
  }));
  return {
    Image: found.Image,
    Env,
    Cmd,
    ...(Healthcheck ? { Healthcheck } : {}),
    Labels: ownerLabels(app, environment, 'accessory-trial'),
    HostConfig: {
      NetworkMode: 'none',
      Mounts: [...volumes, ...secrets] as never,
      Memory: found.HostConfig.Memory,
      NanoCpus: found.HostConfig.NanoCpus,
      SecurityOpt: ['no-new-privileges'],
    },
  };
}

function commandFailed(engine: Engine, container: string, what: string, stderr: string): LockageError {
  const lines = stderr.trim().split('\n').filter(Boolean).slice(-10);
  return new LockageError(`${engine.host}: ${container} ${what}`, { details: lines });
}
