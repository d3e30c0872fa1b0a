import type { AuditedOperation, AuditReport } from '../../../pipelines/inspection/audit.ts';
import type { AuditEntry } from '../../../pipelines/model/audit-entry.ts';
import { agoText } from '../../../pipelines/text/moment.ts';
import { printable } from '../../../pipelines/text/printable.ts';
import { colors } from '../../tools/colors.ts';
import { table } from '../../tools/format.ts';

/** What an exit code says of an operation. */
const ends: Readonly<Record<number, string>> = {
  0: colors.green('done'),
  2: colors.yellow('refused'),
  3: colors.red('rolled back'),
  4: colors.red('not rolled back'),
  5: colors.yellow('on some hosts'),
  75: colors.yellow('overtaken'),
  130: colors.yellow('interrupted'),
};

/** Shows operations, newest first. */
export function auditLines(shown: readonly AuditedOperation[], all: number, now: number): string[] {
  if (shown.length === 0) return ['nothing is in the audit log'];
  const header = ['entry', 'when', 'operation', 'where', 'release', 'rev', 'by', 'ended', 'reason'];
  const rows = shown.map(({ entry, outcome, end }) => {
    const known = { ...entry, ...outcome };
    return [
      String(entry.number),
      agoText(entry.at, now),
      printable(entry.operation),
      [entry.environment ?? '', ...Object.values(known.about ?? {})]
        .filter((text) => text !== '')
        .map(printable)
        .join(' '),
      printable(known.release?.version ?? ''),
      String(known.revision ?? ''),
      printable(entry.actor),
      endText({ entry, end, ...(outcome ? { outcome } : {}) }),
      reasonOf(known),
    ];
  });
  const older = all - shown.length;
  return [
    ...table([header.map((word) => colors.dim(word)), ...rows]),
    ...(older > 0 ? [colors.dim(`${older} older: lockage audit -n ${all}`)] : []),
  ];
}

function endText({ entry, outcome, end }: AuditedOperation): string {
  if (end === 'open') return colors.yellow('no outcome yet');
  if (end === 'abandoned') return colors.red('ended without an outcome');
  if (entry.kind === 'accepted') return colors.yellow('accepted');
  const { exitCode } = outcome ?? entry;
  return exitCode === undefined ? '' : (ends[exitCode] ?? colors.red(`exit code ${exitCode}`));
}

function reasonOf({ breakGlass, reason, error }: AuditEntry): string {
  const glass = breakGlass === undefined ? '' : `${colors.red('BROKE THE GLASS')}: ${firstLine(breakGlass)}`;
  return [glass, firstLine(reason), firstLine(error)].filter((text) => text !== '').join('; ');
}

function firstLine(text = ''): string {
  return printable(text.split('\n')[0] ?? '').slice(0, 100);
}

/** Shows what `audit verify` has found. */
export function reportLines(report: AuditReport, silent: readonly string[]): string[] {
  const { entries, head, problems, accepted, open, signed, anchors, uncounted } = report;
  const count = entries === 1 ? '1 entry' : `${entries} entries`;
  const known = [...new Set(anchors.map(({ from }) => from))];
  return [
    problems.length === 0
      ? `${colors.green('whole')}  ${count}${head ? `, the last is ${head.number} (${head.hash.slice(0, 12)})` : ''}`
      : `${colors.red('NOT WHOLE')}  ${count}`,
    ...problems.map((text) => `${colors.red('!')} ${printable(text)}`),
    ...accepted.map((text) => `${colors.yellow('~')} ${printable(text)}`),
    ...open.map(
      ({ number, environment }) =>
        `${colors.yellow('?')} entry ${number}${environment ? ` (${printable(environment)})` : ''} has no outcome yet`,
    ),
    ...(known.length > 0 ? [`as ${known.map(printable).join(', ')} know${known.length === 1 ? 's' : ''} it`] : []),
    ...(signed === undefined ? [] : [`signed up to entry ${signed}`]),
    ...uncounted.map((text) => `${colors.yellow('?')} a signature counts for nothing: ${printable(text)}`),
    ...silent.map((text) => `${colors.yellow('?')} not asked: ${printable(text)}`),
  ];
}

const columns = ['number', 'at', 'kind', 'operation', 'environment', 'version', 'digest', 'revision'] as const;
const more = [
  'configuration',
  'actor',
  'reason',
  'breakGlass',
  'gates',
  'intent',
  'exitCode',
  'error',
  'previous',
] as const;

/** Returns entries as CSV (RFC 4180): a header, then a line each. */
export function csvLines(entries: readonly AuditEntry[]): string[] {
  const rows = entries.map((entry) => [
    ...columns.map((column) => {
      if (column === 'version') return entry.release?.version;
      return column === 'digest' ? entry.release?.digest : entry[column];
    }),
    ...more.map((column) =>
      column === 'gates'
        ? entry.gates
            ?.map(({ gate, from, passed }) => `${gate}${from ? `:${from}` : ''}${passed ? ' passed' : ''}`)
            .join(' ')
        : entry[column],
    ),
  ]);
  return [[...columns, ...more], ...rows].map((row) => row.map(cell).join(','));
}

/** A cell that begins as a formula would is one to a table calculation: it gets an apostrophe before it. */
function cell(value: string | number | undefined): string {
  const text = printable(String(value ?? ''));
  const safe = typeof value === 'string' && /^[=+\-@\t]/.test(text) ? `'${text}` : text;
  return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
