import { parseDuration } from '../config/schema/units.ts';
import { LockageError } from '../errors.ts';
import type { RecordedRevision } from '../model/recorded-revision.ts';
import type { Reproduction, ReproductionTime } from '../model/reproduction.ts';

/** The time of an environment for which none is asked, ms. */
export const usualTtl = 4 * 3_600_000;
const shortest = 10_000;
const longest = 30 * 86_400_000;

/** Reads how long an environment is wanted, as `90m`, `4h` or `3d`, in milliseconds. Throws LockageError (refused). */
export function ttlOf(text: string): number {
  const [, days] = /^(\d{1,3})d$/.exec(text) ?? [];
  const ttl = days === undefined ? parseDuration(text) : Number(days) * 86_400_000;
  if (ttl !== undefined && ttl >= shortest && ttl <= longest) return ttl;
  throw new LockageError(`--ttl takes a time from 10s to 30d, not ${JSON.stringify(text)}`, {
    hint: 'Write it as 90m, 4h or 3d.',
  });
}

/** What the time of an environment follows from. */
export interface TimeWanted {
  /** milliseconds; absent: as long as before, or as is usual */
  readonly ttl?: number | undefined;
  /** seconds since 1970, by the clock of its host */
  readonly now: number;
  readonly of: RecordedRevision;
  /** the environment of that name */
  readonly before?: Reproduction | undefined;
}

/**
 * Returns the time of an environment. The same command again leaves it as it is; what runs something else, is wanted for another
 * time, or is there although its time is over, has all of its time from now on.
 */
export function timeOf({ ttl, now, of, before }: TimeWanted): ReproductionTime {
  const wanted = ttl ?? before?.time?.ttl ?? usualTtl;
  const isSame = before?.of.number === of.number && before.of.release.digest === of.release.digest;
  // Where nothing removes it any more, it is there after its time: what begins the time that is over would remove it at once.
  if (before?.time && isSame && before.time.ttl === wanted && before.time.until > now) return before.time;
  return timeFrom(now, wanted);
}

/** Returns a time that begins now, in seconds since 1970. */
export function timeFrom(now: number, ttl: number): ReproductionTime {
  return { ttl, until: Math.ceil(now + ttl / 1000) };
}

/** Returns when a time is over, as ISO 8601. */
export function untilOf({ until }: Pick<ReproductionTime, 'until'>): string {
  return new Date(until * 1000).toISOString();
}

/** What a host has of an environment. */
export interface Remains {
  readonly isEmpty: boolean;
  /** the deadline that it knows, in seconds since 1970; absent: it would remove nothing */
  readonly until?: number;
  /** seconds since 1970, by its clock */
  readonly now: number;
}

/**
 * What is left of an environment with a time. `up`: the host removes it when its time is over; `stays`: the host does not;
 * `absent`: nothing of it is there before its time is over; `ending`: its time is over, and it is being removed; `gone`: nothing of it is
 * there, and its time is over.
 */
export interface Life extends Pick<Remains, 'now'> {
  readonly kind: 'up' | 'stays' | 'absent' | 'ending' | 'gone';
  /** seconds since 1970, by the clock of its host, as `now` is */
  readonly until: number;
}

/** Judges what is left of an environment by what its host says, whose clock and deadline decide. */
export function lifeOf(time: Pick<ReproductionTime, 'until'>, remains: Remains): Life {
  const { isEmpty, now } = remains;
  const until = remains.until ?? time.until;
  const isOver = until <= now;
  if (isEmpty) return { kind: isOver ? 'gone' : 'absent', until, now };
  if (remains.until === undefined) return { kind: 'stays', until, now };
  return { kind: isOver ? 'ending' : 'up', until, now };
}
