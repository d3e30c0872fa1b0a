/*
 * Times in which no release enters an environment: one stretch by its dates, the same hours of some days of every week, or
 * one stretch of every week. All are written with the same keys; what `from` and `until` look like says which it is.
 */
import * as z from 'zod';
import { dayNames, type FreezeWindow, type WeekTime } from '../../model/freeze.ts';
import { isZone, momentsOf } from '../../model/zoned-time.ts';
import { didYouMean } from '../../text/suggest.ts';
import { describe, expected, instead, list, mapping, text } from './values.ts';

const minute = 60_000;
const day = 24 * 60;
const week = 7 * day;

const timePattern = /^(?:([01]\d|2[0-3]):([0-5]\d)|24:00)$/;
const weekTimePattern = /^(mon|tue|wed|thu|fri|sat|sun) (.*)$/;
const datePattern = /^(\d{4}-\d\d-\d\d)(?:[T ](.*))?$/;

const when = text('a date, a day with a time, or a time');
const dayName = z.enum(dayNames, {
  error: (issue) => `expected one of ${dayNames.join(', ')}, got ${describe(issue.input)}`,
});
const zone = z.string({ error: expected('a time zone such as Europe/Berlin') }).refine(isZone, {
  error: (issue) => `${instead('a time zone such as Europe/Berlin', issue.input)}${similarZone(issue.input)}`,
});

const fields = mapping({
  days: list(dayName, 'days')
    .min(1, { error: 'expected at least one day' })
    .optional()
    .meta({ description: 'On each of these days of every week; it may end on the day after.' }),
  from: when.optional().meta({
    description: '"2026-12-20", "2026-12-20T18:00", "fri 16:00"; with days "16:00". Default with days: 00:00.',
  }),
  until: when.optional().meta({ description: 'In the same form; a date includes that day. Default with days: 24:00.' }),
  zone: zone.meta({ description: 'The time zone that these times are of, as Europe/Berlin.' }),
  reason: text('a reason').optional().meta({ description: 'Shown to whoever is refused. Required with dates.' }),
});

type Written = z.output<typeof fields>;

const window = fields.superRefine((written, context) => {
  const read = readWindow(written);
  if ('problems' in read)
    for (const { path, message } of read.problems) context.addIssue({ code: 'custom', path: [path], message });
});

/** `freeze` in either kind of file. */
export const freeze = list(window, 'freeze windows').meta({
  description: 'When no release may enter; those of an environment take the place of all of lockage.yaml.',
});

/** Returns a freeze window as it was written. It was checked before. */
export function freezeWindow(written: Written): FreezeWindow {
  const read = readWindow(written);
  if ('problems' in read) throw new TypeError('a freeze window was not checked');
  return read;
}

interface WindowProblems {
  readonly problems: readonly { readonly path: 'days' | 'from' | 'until' | 'reason'; readonly message: string }[];
}

function readWindow(written: Written): FreezeWindow | WindowProblems {
  const { days, from, until } = written;
  if (days) return onDays(written, days);
  if (from === undefined)
    return problem('from', 'is missing: expected a date, or a day with a time such as "fri 16:00"');
  return weekTimePattern.test(from) ? everyWeek(written, from, until) : byDates(written, from, until);
}

function onDays({ from = '00:00', until = '24:00', ...written }: Written, days: readonly string[]) {
  const [begin, end] = [minutesOf(from), minutesOf(until)];
  if (begin === undefined || begin === day) return problem('from', instead('a time of day such as "16:00"', from));
  if (end === undefined) return problem('until', instead('a time of day such as "08:00"', until));
  if (begin === end) return problem('until', 'is the same time as `from`: leave both out for whole days');
  const spans = [...new Set(days)].map((name) => {
    const start = dayNames.findIndex((each) => each === name) * day;
    return { from: start + begin, until: inWeek(start + end + (end < begin ? day : 0)) };
  });
  return { kind: 'weekly' as const, spans, ...common(written) };
}

function everyWeek(written: Written, from: string, until: string | undefined): FreezeWindow | WindowProblems {
  const expectedTime = 'a day with a time such as "mon 08:00"';
  const [begin, end] = [weekTimeOf(from), until === undefined ? undefined : weekTimeOf(until)];
  if (begin === undefined) return problem('from', instead(expectedTime, from));
  if (end === undefined) return problem('until', instead(expectedTime, until));
  if (inWeek(begin) === inWeek(end)) return problem('until', 'is the same time as `from`');
  return { kind: 'weekly', spans: [{ from: begin % week, until: inWeek(end) }], ...common(written) };
}

function byDates(written: Written, from: string, until: string | undefined): FreezeWindow | WindowProblems {
  const expectedTime = 'a date such as "2026-12-20" or "2026-12-20T18:00"';
  const [begin, end] = [wallOf(from, 0), until === undefined ? undefined : wallOf(until, day)];
  if (begin === undefined)
    return problem('from', instead(`${expectedTime}, or a day with a time such as "fri 16:00"`, from));
  if (end === undefined) return problem('until', instead(expectedTime, until));
  if (end <= begin) return problem('until', 'is not later than `from`');
  if (written.reason === undefined) return problem('reason', instead('why, for whoever is refused', undefined));
  const { zone: of } = written;
  return { kind: 'fixed', from: momentsOf(begin, of).first, until: momentsOf(end, of).last, ...common(written) };
}

function common({ zone: of, reason }: Pick<Written, 'zone' | 'reason'>) {
  return { zone: of, ...(reason === undefined ? {} : { reason }) };
}

function problem(path: WindowProblems['problems'][number]['path'], message: string): WindowProblems {
  return { problems: [{ path, message }] };
}

/** Returns a time of day in minutes; undefined for anything else. */
function minutesOf(written: string): number | undefined {
  const [all, hours, minutes] = timePattern.exec(written) ?? [];
  if (all === undefined) return undefined;
  return hours === undefined ? day : Number(hours) * 60 + Number(minutes);
}

function weekTimeOf(written: string): WeekTime | undefined {
  const [, name, time = ''] = weekTimePattern.exec(written) ?? [];
  const minutes = minutesOf(time);
  return minutes === undefined ? undefined : dayNames.findIndex((each) => each === name) * day + minutes;
}

/** Returns a wall time; of a date alone, that many minutes after its begin. Undefined where there is no such time. */
function wallOf(written: string, ofDate: number): number | undefined {
  const [, date, time] = datePattern.exec(written) ?? [];
  if (date === undefined) return undefined;
  const midnight = Date.parse(`${date}T00:00:00Z`);
  const isDate = !Number.isNaN(midnight) && new Date(midnight).toISOString().startsWith(date);
  const minutes = time === undefined ? ofDate : minutesOf(time);
  return isDate && minutes !== undefined ? midnight + minutes * minute : undefined;
}

/** Returns a time of the week from 1 to the last, as the end of a stretch is written. */
function inWeek(time: WeekTime): WeekTime {
  return time > week ? time - week : time === 0 ? week : time;
}

function similarZone(written: unknown): string {
  return typeof written === 'string' ? didYouMean(written, Intl.supportedValuesOf('timeZone')) : '';
}
