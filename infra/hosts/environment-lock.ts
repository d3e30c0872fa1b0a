import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { LockedError, type LockageError } from '../../pipelines/errors.ts';
import type { LockHolder } from '../../pipelines/model/lock-holder.ts';
import { environmentNames } from '../../pipelines/model/names.ts';
import { whenText } from '../../pipelines/text/moment.ts';
import type { CallOptions, Engine } from '../docker/api/client.ts';
import { ownerLabels } from '../docker/labels.ts';
import { withFileLock } from '../system/file-lock.ts';
import { isAlive } from '../system/is-alive.ts';
import { runtimeFolder } from '../system/runtime-folder.ts';

/**
 * Returns the identity by which a lock names this process. A hostname is not enough: cloned computers and containers
 * share one.
 */
export async function thisProcess(): Promise<Pick<LockHolder, 'machine' | 'pid' | 'pidSpace'>> {
  return { machine: hostname(), pid: process.pid, pidSpace: await pidSpace() };
}

/**
 * Takes an environment's lock for this process: an empty volume on one of its hosts, whose labels say who holds it. An
 * engine creates a volume of one name only once and answers later requests with the first one's labels, so taking it
 * is atomic; and it works for all operators of that host, whatever backend or machine they use. A lock of a process
 * that was killed here is removed. Throws LockageError (locked) otherwise.
 */
export async function takeLock(
  engine: Engine,
  place: { app: string; environment: string },
  holder: LockHolder,
  token: string,
): Promise<() => Promise<void>> {
  const { lock } = environmentNames(place.app, place.environment);
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const found = await create(engine, lock, place, holder, token).catch(async (error: unknown) => {
      // The volume may exist all the same, and nothing would show that it is ours.
      await release(engine, lock, token).catch(() => undefined);
      throw error;
    });
    if (found.token === token) return () => release(engine, lock, token);
    const other = found.holder;
    // One that was released a moment before its host lost power comes back as an empty folder, which is nobody's.
    const isNobodys = found.token === '';
    if (!isNobodys && (!isHere(other, holder) || isAlive(other.pid))) throw locked(place.environment, other, holder);
    // Reading and removing are two requests: another command may have found the same lock, and hold a new one by now.
    const lifting = join(await runtimeFolder(), `${lock}.lifting`);
    await withFileLock(lifting, 10_000, () => release(engine, lock, found.token));
  }
  throw new LockedError(`the lock of ${place.environment} cannot be taken`);
}

/** Returns who holds an environment's lock now; undefined when it is free. */
export async function readLock(
  engine: Engine,
  place: { app: string; environment: string },
  options: CallOptions = {},
): Promise<LockHolder | undefined> {
  const found = await engine.inspectVolume(environmentNames(place.app, place.environment).lock, options);
  const { token, holder } = parse(found?.Labels ?? {});
  return token === '' ? undefined : holder;
}

/** Removes an environment's lock, whoever holds it. Returns the holder. */
export async function liftLock(
  engine: Engine,
  place: { app: string; environment: string },
): Promise<LockHolder | undefined> {
  const { lock } = environmentNames(place.app, place.environment);
  const found = await engine.inspectVolume(lock);
  if (!found) return undefined;
  await engine.removeVolume(lock);
  return parse(found.Labels ?? {}).holder;
}

async function create(
  engine: Engine,
  lock: string,
  place: { app: string; environment: string },
  holder: LockHolder,
  token: string,
): Promise<{ token: string; holder: LockHolder }> {
  const labels = {
    ...ownerLabels(place.app, place.environment, 'lock'),
    'lockage.token': token,
    'lockage.holder': JSON.stringify(holder),
  };
  await engine.createVolume(lock, { Labels: labels });
  const made = await engine.inspectVolume(lock);
  return parse(made?.Labels ?? {});
}

function parse(labels: Record<string, string>): { token: string; holder: LockHolder } {
  const nobody: LockHolder = { actor: 'somebody', machine: '', pid: 0, since: 'an unknown time', purpose: '' };
  try {
    return { token: labels['lockage.token'] ?? '', holder: JSON.parse(labels['lockage.holder'] ?? '') as LockHolder };
  } catch {
    return { token: labels['lockage.token'] ?? '', holder: nobody };
  }
}

async function release(engine: Engine, lock: string, token: string): Promise<void> {
  const found = await engine.inspectVolume(lock);
  if (found && (found.Labels?.['lockage.token'] ?? '') === token) await engine.removeVolume(lock);
}

/**
 * Returns whether this process would see the other one if it were alive. A record of an earlier version names only the
 * machine.
 */
function isHere(other: LockHolder, here: LockHolder): boolean {
  return other.machine === here.machine && (other.pidSpace ?? here.pidSpace) === here.pidSpace;
}

async function pidSpace(): Promise<string> {
  try {
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
    return `${boot.trim()} ${await readlink('/proc/self/ns/pid')}`;
  } catch {
    // Other systems have no such files: there, the hostname decides alone.
    return process.platform;
  }
}

function locked(environment: string, holder: LockHolder, here: LockHolder): LockageError {
  const doubtful = holder.machine === here.machine && !isHere(holder, here);
  const machine = doubtful
    ? `${holder.machine}: another computer of that name, a container, or this one before it was restarted`
    : holder.machine;
  return new LockedError(
    `${environment} is locked by ${holder.actor} since ${whenText(holder.since)}: ${holder.purpose}`,
    {
      details: [`process ${holder.pid} on ${machine}`],
      hint: `Try again when it has finished. If that process is gone for good: \`lockage unlock ${environment}\`.`,
    },
  );
}
