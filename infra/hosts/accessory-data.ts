import { createHash, randomUUID } from 'node:crypto';
import { Readable, type Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { LockageError, messageOf, RolledBackError } from '../../pipelines/errors.ts';
import type { Accessory } from '../../pipelines/model/environment.ts';
import type { BackupFile } from '../../pipelines/planning/restored-dump.ts';
import type { ContainerBody, ContainerDetails, Engine } from '../docker/api/client.ts';
import type { Place } from '../resources/inputs.ts';
import { removeLeftDrafts, streamAtomic } from '../system/atomic-file.ts';
import { accessoryName, untilAccessoryWorks } from '../workloads/foundation/accessory-container.ts';
import { namesBeside, type Waiting } from '../workloads/foundation/standing-container.ts';
import { proofLabels, removeLeftProofs } from '../workloads/backup-proofs.ts';
import { removeOwn } from '../workloads/own-container.ts';
import { dataOf, endMark, type Backup } from './backup-file.ts';
import type { DataProgram } from './data-program.ts';

/** A day: data can be large. */
const deadline = 24 * 3600_000;

/** A file for a backup, and what it has to pass before it takes the place of an earlier one. */
interface BackupTarget {
  readonly file: string;
  readonly signal: AbortSignal;
  check(draft: string): Promise<void>;
}

/** Writes the data of a container to a file, as a whole or not at all. Returns its size and SHA-256. Throws LockageError. */
export async function dumpInto(
  engine: Engine,
  container: string,
  { dump }: DataProgram,
  { file, signal, check }: BackupTarget,
): Promise<Omit<BackupFile, 'file'>> {
  const write = async (out: Writable) => {
    const hash = createHash('sha256');
    let bytes = 0;
    const { code, stdout, stderr } = await engine.exec(container, dump, {
      deadline,
      signal,
      stdout: out,
      maxOutput: 4096,
      onOutput: (stream, data) => {
        if (stream !== 'stdout') return;
        bytes += data.length;
        hash.update(data);
      },
    });
    if (code !== 0) throw commandFailed(engine, container, `dump ended with exit code ${code}`, stderr);
    if (!stdout.endsWith(endMark)) throw commandFailed(engine, container, 'dump broke off before its end', stderr);
    if (bytes === endMark.length) throw commandFailed(engine, container, 'dump is empty', stderr);
    return { bytes, sha256: hash.digest('hex') };
  };
  // Of whoever was killed: all of the data, which nobody would look for there.
  await removeLeftDrafts(file);
  return streamAtomic(file, write, check);
}

/**
 * Gives a container the data of a backup. Returns the SHA-256 of its file. Throws RolledBackError where none of it was taken in for
 * certain, else LockageError.
 */
export async function takeIn(
  engine: Engine,
  container: string,
  program: DataProgram,
  { backup, signal }: { readonly backup: Backup; readonly signal: AbortSignal },
): Promise<string> {
  const { argv, around, outcomeOf } = program.intakeOf(backup);
  let isSent = false;
  const hash = createHash('sha256');
  const sent = async function* () {
    if (around[0] !== '') yield Buffer.from(around[0]);
    yield* dataOf(backup, hash);
    // From here on all of it may have come.
    isSent = true;
    yield Buffer.from(around[1]);
  };
  // Little is read before it can be sent.
  const stdin = Readable.from(sent(), { objectMode: false, highWaterMark: 64 * 1024 });
  const result = await engine
    .exec(container, argv, { deadline, signal, stdin, maxOutput: 4096 })
    .catch((error: unknown) => {
      if (isSent) throw error;
      throw new RolledBackError(`${container} did not get all of the data: ${messageOf(error)}`, { cause: error });
    });
  // Whichever way it takes data in, nothing of them counts before their end.
  const outcome = isSent ? outcomeOf(result) : 'none';
  if (outcome === 'all') return hash.digest('hex');
  const { code, stderr } = result;
  const what = code === 0 ? 'ended before it had all of the data' : `did not take the data in: exit code ${code}`;
  const failure = commandFailed(engine, container, what, stderr);
  throw outcome === 'none' ? new RolledBackError(failure.message, { details: failure.details }) : failure;
}

/**
 * Proves that a file can be restored, in a container like the accessory's with no network and data of its own, which is removed
 * again. Throws LockageError.
 */
export async function proveRestore(
  engine: Engine,
  place: Place & { readonly accessory: Accessory; readonly found: ContainerDetails },
  program: DataProgram,
  from: { readonly backup: Backup } & Waiting,
): Promise<void> {
  const { accessory } = place;
  const { trial } = namesBeside(accessoryName({ ...place, name: accessory.name }));
  const name = `${trial}-${randomUUID().slice(0, 8)}`;
  await removeLeftProofs(engine, place);
  try {
    await engine.createContainer(name, trialBody(place, await proofLabels(place)));
    await engine.startContainer(name);
    await untilAccessoryWorks(engine, name, accessory.health?.timeout, from);
    await afterItsStart(from.signal, () => takeIn(engine, name, program, from));
  } finally {
    await removeOwn(engine, place, name).catch(() => undefined);
  }
}

/**
 * Repeats what fails soon after a start: some images answer already while they make their first data, and begin once
 * more after it.
 */
async function afterItsStart(signal: AbortSignal, work: () => Promise<unknown>): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await work();
      return;
    } catch (error) {
      if (tries >= 3 || signal.aborted) throw error;
      await sleep(3000, undefined, { signal });
    }
  }
}

/**
 * Returns the Engine API's create request for the container of a proof. What the accessory needs to start and to work is as it
 * has it, as shared memory: else a backup that is sound would count as none.
 */
export function trialBody(
  { accessory, found }: Pick<Parameters<typeof proveRestore>[1], 'accessory' | 'found'>,
  Labels: Record<string, string>,
): ContainerBody {
  const { Env, Cmd, Healthcheck } = found.Config;
  const { Memory, NanoCpus, ShmSize, Ulimits, Init } = found.HostConfig;
  const volumes = Object.values(accessory.volumes).map((Target) => ({ Type: 'volume', Target }));
  const secrets = found.Mounts.filter(({ Name = '' }) => Name.endsWith('.secrets')).map(({ Name, Destination }) => ({
    ...{ Type: 'volume', Source: Name, Target: Destination, ReadOnly: true },
  }));
  return {
    Image: found.Image,
    Env,
    Cmd,
    ...(Healthcheck ? { Healthcheck } : {}),
    Labels,
    HostConfig: {
      NetworkMode: 'none',
      Mounts: [...volumes, ...secrets] as never,
      ...{ Memory, NanoCpus },
      ...(ShmSize === undefined ? {} : { ShmSize }),
      ...(Ulimits ? { Ulimits } : {}),
      ...(Init === undefined ? {} : { Init }),
      SecurityOpt: ['no-new-privileges'],
    },
  };
}

function commandFailed(engine: Engine, container: string, what: string, stderr: string): LockageError {
  const lines = stderr.trim().split('\n').filter(Boolean).slice(-10);
  return new LockageError(`${engine.host}: ${container} ${what}`, { details: lines });
}
