import { colors } from '../../tools/colors.ts';
import type { Check } from '../check.ts';

const marks: Record<Check['level'], string> = {
  good: colors.green('✓'),
  warning: colors.yellow('!'),
  bad: colors.red('✗'),
};

export interface CheckGroup {
  readonly title: string;
  readonly checks: readonly Check[];
}

/** Shows groups of checks with their marks, and what to do below those that are not good. */
export function doctorLines(groups: readonly CheckGroup[]): string[] {
  const width = Math.max(...groups.flatMap(({ checks }) => checks.map(({ name }) => name.length)));
  const indent = ' '.repeat(width + 6);
  const checkLines = ({ name, level, text, details = [], hint }: Check) => [
    `  ${marks[level]} ${name.padEnd(width)}  ${text}`,
    ...[...details, ...(hint ? [colors.cyan(hint)] : [])].map((line) => `${indent}${line}`),
  ];
  return [
    ...groups.flatMap(({ title, checks }) => [colors.bold(title), ...checks.flatMap(checkLines)]),
    summary(groups.flatMap(({ checks }) => checks)),
  ];
}

function summary(checks: readonly Check[]): string {
  const bad = checks.filter(({ level }) => level === 'bad').length;
  const warnings = checks.filter(({ level }) => level === 'warning').length;
  if (bad > 0) return colors.red(`${count(bad, 'problem')}, ${count(warnings, 'warning')}`);
  return warnings > 0 ? `ready, with ${count(warnings, 'warning')}` : colors.green('ready');
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
