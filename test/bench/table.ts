import { loadavg } from 'node:os';
import colors from 'picocolors';
import { bytesText, table } from '../../scripts/tools/format.ts';
import type { Figure, Row } from './measure.ts';

/** Returns the figures as an aligned table, one line each. */
export function tableLines(rows: readonly Row[]): string[] {
  const load = loadavg()
    .map((average) => average.toFixed(1))
    .join(' ');
  const head = ['', '', 'Lockage', 'beside', 'ratio', 'goal', ''];
  const cells = rows.map((row) => [
    row.part,
    row.what,
    text(row.ours, row.unit),
    row.baseline ? `${text(row.baseline, row.unit)} ${row.against ?? ''}` : (row.against ?? ''),
    row.ours && row.baseline && row.unit === 'ms' ? (row.ours.median / row.baseline.median).toFixed(2) : '',
    row.goal ?? '',
    row.met === undefined ? '' : row.met ? 'met' : 'missed',
  ]);
  const [first = '', ...lines] = table([head, ...cells]);
  return [
    colors.dim(first),
    ...lines.map((line) => line.replace(/missed$/, colors.red('missed'))),
    ...rows.flatMap(({ part, what, note }) => (note === undefined ? [] : [colors.dim(`${part}, ${what}: ${note}`)])),
    colors.dim(`medians; load of the machine now ${load}`),
  ];
}

function text(figure: Figure | undefined, unit: Row['unit']): string {
  if (!figure) return '';
  if (unit === 'bytes') return bytesText(figure.median);
  if (unit === 'requests') return String(Math.round(figure.median));
  if (figure.median < 10) return `${figure.median.toFixed(2)} ms`;
  return figure.median < 1000 ? `${Math.round(figure.median)} ms` : `${(figure.median / 1000).toFixed(2)} s`;
}
