import type { EnvironmentStatus } from '../../../pipelines/inspection/status.ts';
import type { Reproduction } from '../../../pipelines/model/reproduction.ts';
import { untilOf } from '../../../pipelines/planning/environment-time.ts';
import { colors } from '../../tools/colors.ts';
import { clockText, table, visibleLength } from '../../tools/format.ts';
import type { FoundLife } from '../environment-life.ts';
import { urlsOf } from './reproduction.ts';

/** An environment with a time, and what is known of it now. */
export interface EnvironmentRow {
  readonly reproduction: Reproduction;
  readonly life: FoundLife;
  /** absent: there is nothing to look at */
  readonly status?: EnvironmentStatus;
  /** why its record cannot be read, in lines */
  readonly error?: readonly string[];
}

/** All environments with a time, and those of which nothing was left. */
export interface Environments {
  readonly rows: readonly EnvironmentRow[];
  readonly gone: readonly Reproduction[];
}

const columns = ['', 'from', 'version', 'host', 'URL', 'until', 'state'] as const;
type Column = (typeof columns)[number];

/** Shows them, a line each. Where a terminal of `width` columns is too narrow, what the URL says as well is left out first. */
export function environmentsLines({ rows, gone }: Environments, now: number, width = Infinity): string[] {
  const left: readonly (readonly Column[])[] = [[], ['host'], ['host', 'from'], ['host', 'from', 'version']];
  const tables = left.map((without) =>
    tableOf(
      rows,
      now,
      columns.filter((each) => !without.includes(each)),
    ),
  );
  const fits = (lines: readonly string[]) => lines.every((line) => visibleLength(line) <= width);
  const [header = '', ...lines] = tables.find(fits) ?? tables.at(-1) ?? [];
  const shown = rows.flatMap((row, index) => [lines[index] ?? '', ...noteLines(row)]);
  return [
    ...(rows.length > 0 ? [header, ...shown] : [colors.dim('no environment with a time')]),
    ...gone.map((each) => goneLine(each, now)),
  ];
}

function tableOf(rows: readonly EnvironmentRow[], now: number, shown: readonly Column[]): string[] {
  const cells = rows.map((row) => cellsOf(row, now));
  return table([shown.map((each) => colors.dim(each)), ...cells.map((each) => shown.map((column) => each[column]))]);
}

function cellsOf(row: EnvironmentRow, now: number): Record<Column, string> {
  const { reproduction, life } = row;
  const { name, of, host } = reproduction;
  const state = stateOf(row);
  return {
    '': colors.bold(name),
    from: `${of.environment}@${of.number}`,
    version: versionOf(row),
    host: host.name,
    URL: urlsOf(reproduction)[0]?.url ?? '',
    until: clockText(life.until * 1000, now),
    state: (state === 'serves' ? colors.green : colors.yellow)(state),
  };
}

function versionOf({ reproduction, status }: EnvironmentRow): string {
  return status?.version ?? reproduction.of.release.version;
}

/** What a person should know of an environment, in two words. */
export function stateOf({ life, status, error }: EnvironmentRow): string {
  if (error !== undefined) return 'in trouble';
  switch (life.kind) {
    case 'silent':
      return 'no answer';
    case 'ending':
    case 'gone':
      return 'going';
    case 'absent':
      return 'not there';
    case 'stays':
      return 'never goes';
    case 'up':
      if (status?.version === undefined) return 'unfinished';
      return status.problems.length > 0 ? 'in trouble' : 'serves';
  }
}

function noteLines({ reproduction, life, status, error }: EnvironmentRow): string[] {
  const others = urlsOf(reproduction).slice(1);
  const again = `\`lockage env up ${reproduction.name} --ttl 4h\``;
  const notes = [
    ...others.map(({ role, url }) => colors.dim(`${role} ${url}`)),
    ...[...(status?.problems ?? []), ...(error ?? [])].map((problem) => `${colors.red('✗')} ${problem}`),
    ...(life.kind === 'silent' ? [`${colors.yellow('!')} ${life.error}`] : []),
    ...(life.kind === 'stays'
      ? [`${colors.yellow('!')} nothing removes it after its time: ${again} gives it one`]
      : []),
  ];
  return notes.map((note) => `  ${note}`);
}

function goneLine({ name, time, host }: Reproduction, now: number): string {
  const when = time ? ` was over at ${clockText(time.until * 1000, now)}` : ' is over';
  return colors.dim(`${name}: its time${when}, nothing of it is left on ${host.name}, and its record is gone`);
}

/** Returns the same as `--json` has it. */
export function environmentsJson({ rows, gone }: Environments): object {
  return {
    environments: rows.map((row) => {
      const { reproduction, life, status, error } = row;
      const { name, of, host } = reproduction;
      return {
        ...{ name, from: { environment: of.environment, revision: of.number }, version: versionOf(row) },
        host: { name: host.name, url: host.endpoint.url },
        urls: urlsOf(reproduction),
        until: untilOf(life),
        state: stateOf(row),
        problems: [...(status?.problems ?? []), ...(error ?? []), ...(life.kind === 'silent' ? [life.error] : [])],
      };
    }),
    gone: gone.map(({ name }) => name),
  };
}
