import type { LoadStats } from '../load/load.ts';
import { durationText, table } from '../tools/format.ts';
import type { Row } from './player.ts';
import { screen } from './screen.ts';
import { folders, type Stage } from './stage.ts';

/** Returns the table of all steps, with what the visitors saw of each. */
export function tableLines(rows: readonly Row[], loads: readonly LoadStats[]): string[] {
  const sum = (of: (stats: LoadStats) => number) => loads.reduce((total, stats) => total + of(stats), 0);
  const total = {
    requests: sum(({ sent }) => sent),
    failed: sum(({ failed }) => failed),
    ms: rows.reduce((all, { ms }) => all + ms, 0),
  };
  const cells = rows.map(({ step, ms, result, seen, note }) => [
    step,
    durationText(ms),
    result,
    seen?.requests.toLocaleString('en') ?? '',
    seen ? String(seen.failed) : '',
    note,
  ]);
  const all = [
    ['step', 'time', 'result', 'requests', 'failed', 'moved to the hosts'],
    ...cells,
    ['all', durationText(total.ms), '', total.requests.toLocaleString('en'), String(total.failed)],
  ];
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const numbers = new Set([1, 3, 4]);
  return table(
    all.map((row) => row.map((cell, column) => (numbers.has(column) ? cell.padStart(widths[column] ?? 0) : cell))),
  );
}

/** Says how fast the answers on prod were over the whole demo. */
export function latencyLine(loads: readonly LoadStats[]): string | undefined {
  const longest = loads.toSorted((a, b) => b.sent - a.sent)[0];
  if (!longest) return undefined;
  const { p50, p99, max } = longest.latency;
  return `answers of prod: half within ${durationText(p50)}, 99 % within ${durationText(p99)}, slowest ${durationText(max)}`;
}

/** Says what to try on the lab, which stays up. */
export function sayHowToGoOn({ kind, builder }: Stage): void {
  const where = kind === 'one-engine' ? 'The shop on this Docker Engine' : 'The lab';
  screen.heading(`${where} stays up. To try it:`);
  screen.line();
  const tries = [
    [`cd ${folders().project}`, ''],
    ['./lockage status', 'what runs where'],
    ['./lockage status -e prod', 'host by host'],
    ['./lockage history prod', 'every attempt, and why it failed'],
    ['./lockage logs -e prod', 'of all hosts'],
    ['./lockage exec -e prod -- node -v', 'in a container of every host'],
    ['./lockage plan 1.3.0 --to prod', 'what a promotion would do'],
    ['./lockage reproduce prod', `the same on the engine that builds; its ports are at ${builder.address}`],
    ['./lockage rollback prod', 'the earlier containers get the traffic back at once'],
  ];
  for (const line of table(tries)) screen.line(`  ${line}`);
  screen.line();
  screen.line('  ./lockage there is `lockage` with DOCKER_HOST set to the engine that builds releases.');
  screen.line('  `npm run demo -- --clean` removes everything.');
}
