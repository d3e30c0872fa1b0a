import type { LockHolder } from '../../pipelines/model/lock-holder.ts';

/**
 * How an environment's lock lies on a host: as volumes, since an engine makes a volume of one name only once, and answers
 * later requests with the first one's labels. Nothing of a volume can be changed, so what changes is another volume:
 *   LOCK              a lock: its labels say who holds it, its token, and how long its lease is
 *   LOCK.TOKEN.next   the lock that has taken over the one with this token; it may have been taken over itself
 *   LOCK.TOKEN.N      the lock with this token was renewed for the Nth time when this was made
 *   LOCK.TOKEN.over   the same, for a holder who sleeps and comes back when that one has ended: its labels say who it was
 *   LOCK.TOKEN.N.seen somebody saw a renewal that is later than the host's clock: from here on its lease is counted
 * So two who take over the same lock meet in one name, and nobody has to remove what another may have taken meanwhile.
 */

/** A volume of an environment's lock, as its engine lists it. */
export interface LockVolume {
  readonly name: string;
  /** milliseconds since 1970, by the clock of the host */
  readonly createdAt: number;
  readonly labels: Readonly<Record<string, string>>;
}

/** All volumes of an environment's lock on a host, and the time there. */
export interface LockPicture {
  readonly volumes: readonly LockVolume[];
  /** milliseconds since 1970, by the clock of the host */
  readonly now: number;
}

/** A lock that nobody has taken over. */
export interface StandingLock {
  /** name of its volume */
  readonly volume: string;
  readonly token: string;
  /** absent: nobody's. One that was released just before its host lost power comes back without its labels. */
  readonly holder?: LockHolder;
  /** how often it was renewed */
  readonly renewals: number;
  /** absent: it has none, as those of earlier versions */
  readonly lease?: Lease;
}

/** The time for which a lock counts. */
export interface Lease {
  /** milliseconds; negative when it is over */
  readonly left: number;
  /** the clock went back behind its renewal, and nobody has seen that yet */
  readonly unseen: boolean;
}

/** The labels of a lock's volume. */
export const lockLabels = { token: 'lockage.token', holder: 'lockage.holder', lease: 'lockage.lease' } as const;

/** Returns the name of the volume that takes over a lock. */
export function nextOf(lock: string, token: string): string {
  return `${lock}.${token}.next`;
}

/** Returns the name of what tells the holder of a lock that it was overtaken. */
export function overOf(lock: string, token: string): string {
  return `${lock}.${token}.over`;
}

/** Milliseconds for which a holder who sleeps may come back. */
const longestSleep = 24 * 3_600_000;

/** Returns whether a volume is to tell a holder that it was overtaken, and may still have to. */
export function mayTell({ name, createdAt }: LockVolume, { now }: LockPicture): boolean {
  return name.endsWith('.over') && Math.abs(now - createdAt) < longestSleep;
}

/** Returns who has overtaken the holder of a token, or of one that begins with it; undefined when nobody has. */
export function overtaker(lock: string, token: string, { volumes }: LockPicture): LockHolder | undefined {
  const found = volumes.find(({ name }) => name.startsWith(`${lock}.${token}`) && name.endsWith('.over'));
  return found && holderOf(found);
}

/** Returns the name of a lock's nth renewal. */
export function renewalOf(lock: string, token: string, nth: number): string {
  return `${lock}.${token}.${nth}`;
}

/** Returns the name of the mark that a lock's nth renewal was seen while it was later than the host's clock. */
export function seenOf(lock: string, token: string, nth: number): string {
  return `${lock}.${token}.${nth}.seen`;
}

/** Returns whether a volume of that name is one of a lock. */
export function isOfLock(lock: string, volume: string): boolean {
  return volume === lock || volume.startsWith(`${lock}.`);
}

/** Returns the locks that nobody has taken over: one at most, unless two are being taken at this moment. */
export function standingLocks(lock: string, picture: LockPicture): StandingLock[] {
  const names = new Set(picture.volumes.map(({ name }) => name));
  return picture.volumes
    .filter(({ name }) => name === lock || name.endsWith('.next'))
    .map((volume) => ({ volume, token: tokenOf(lock, volume) }))
    .filter(({ token }) => !names.has(nextOf(lock, token)))
    .map(({ volume, token }) => standing(lock, volume, token, picture));
}

function standing(lock: string, volume: LockVolume, token: string, picture: LockPicture): StandingLock {
  const renewals = renewalsOf(lock, token, picture);
  const lease = leaseOf(lock, volume, { token, renewals }, picture);
  const isNobodys = (volume.labels[lockLabels.token] ?? '') === '';
  return {
    volume: volume.name,
    token,
    renewals,
    ...(isNobodys ? {} : { holder: holderOf(volume) }),
    ...(lease ? { lease } : {}),
  };
}

/** Returns the token of a lock's volume. One that lost its labels has a name that follows from its own. */
function tokenOf(lock: string, { name, labels }: LockVolume): string {
  const token = labels[lockLabels.token] ?? '';
  if (token !== '') return token;
  const before = name === lock ? '' : `${name.slice(lock.length + 1, -'.next'.length)}-`;
  return `${before}nobody`;
}

function holderOf({ labels }: LockVolume): LockHolder {
  try {
    return JSON.parse(labels[lockLabels.holder] ?? '') as LockHolder;
  } catch {
    return { actor: 'somebody', machine: '', pid: 0, since: 'an unknown time', purpose: '' };
  }
}

function renewalsOf(lock: string, token: string, { volumes }: LockPicture): number {
  const start = `${lock}.${token}.`;
  const counts = volumes
    .filter(({ name }) => name.startsWith(start))
    .map(({ name }) => name.slice(start.length))
    .filter((rest) => /^\d{1,9}$/.test(rest))
    .map(Number);
  return Math.max(0, ...counts);
}

/** Times are whole seconds, of one clock: so one second is no difference. */
const roundings = 1000;

function leaseOf(
  lock: string,
  volume: LockVolume,
  { token, renewals }: { readonly token: string; readonly renewals: number },
  { volumes, now }: LockPicture,
): Lease | undefined {
  const length = Number(volume.labels[lockLabels.lease]) * 1000;
  const find = (name: string) => volumes.find((each) => each.name === name);
  const last = find(renewalOf(lock, token, renewals)) ?? volume;
  const left = last.createdAt + length - now;
  if (Number.isNaN(left)) return undefined;
  if (last.createdAt <= now + roundings) return { left: left + roundings, unseen: false };
  const seen = find(seenOf(lock, token, renewals));
  if (!seen || seen.createdAt > now + roundings) return { left: length, unseen: true };
  return { left: seen.createdAt + length - now + roundings, unseen: false };
}
