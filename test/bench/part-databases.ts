import { join } from 'node:path';
import { packageRoot } from '../../scripts/tools/cache.ts';
import { DatabaseShop } from '../support/databases-fixture.ts';
import { figure, timed, type Figure, type Row } from './measure.ts';
import type { Part, PartOptions } from './parts.ts';

/** Tests for each round that is asked for: 200 by default; a quarter of them by what takes long for each. */
const testsPerRound = 40;
const slowPerRound = 10;
const parallelisms = [1, 4, 16];
const longestWait = 50;

interface Measured {
  /** tests that were run */
  readonly count: number;
  /** milliseconds for each, from the start of the first to the end of the last */
  readonly each: number;
  /** milliseconds that each waited for its database */
  readonly waits: Figure;
}

/** The ways to a pristine database, by the words of `lockage test` and of the runner. */
const methods = {
  pool: { words: ['--per', 'test'], method: 'taken', perRound: testsPerRound },
  cold: { words: [], method: 'taken', perRound: slowPerRound },
  template: { words: ['--per', 'test', '--strategy', 'template'], method: 'taken', perRound: testsPerRound },
  truncate: { words: [], method: 'truncate', perRound: testsPerRound },
  restore: { words: [], method: 'restore', perRound: slowPerRound },
} as const;

type Method = keyof typeof methods;

/** Tests that change data, each on a pristine copy, by forks and by what else gives one. */
export const databasesPart: Part = {
  name: 'databases',
  environments: {},
  async withoutHosts(options) {
    const shop = await DatabaseShop.open();
    try {
      await shop.succeed('db', 'bake');
      return [...(await coldForks(shop, options)), ...(await suites(shop, options))];
    } finally {
      await shop.remove();
    }
  },
  async measure() {
    return [];
  },
};

/** Sixteen cold forks at once, beside one, from the start of the command until all can be used; and what one takes. */
async function coldForks(shop: DatabaseShop, { rounds, log }: PartOptions): Promise<Row[]> {
  const [one, sixteen]: [number[], number[]] = [[], []];
  const memory: number[] = [];
  const disk: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const [count, samples] of [
      [1, one],
      [16, sixteen],
    ] as const) {
      let child: Awaited<ReturnType<DatabaseShop['fork']>> | undefined;
      samples.push(await timed(async () => (child = await shop.fork(count))));
      const name = child?.forks[0]?.name ?? '';
      memory.push(await memoryOf(shop, name));
      disk.push(await diskOf(shop, name));
      child?.child.kill('SIGTERM');
      await shop.gone();
    }
    log(`round ${round + 1} of cold forks`);
  }
  const [alone, all] = [figure(one), figure(sixteen)];
  return [
    {
      part: 'databases',
      what: '16 cold forks at once',
      unit: 'ms',
      ours: all,
      baseline: alone,
      against: 'one',
      goal: 'at most 2 times one',
      met: all.median <= 2 * alone.median,
      note: 'from the start of the command, until all can be used',
    },
    { part: 'databases', what: 'memory of a fork, idle', unit: 'bytes', ours: figure(memory) },
    { part: 'databases', what: 'disk of a fork, idle', unit: 'bytes', ours: figure(disk) },
  ];
}

async function suites(shop: DatabaseShop, { rounds, signal, log }: PartOptions): Promise<Row[]> {
  const rows: Row[] = [];
  for (const parallel of parallelisms) {
    const found = new Map<Method, Measured>();
    for (const name of Object.keys(methods) as Method[]) {
      signal.throwIfAborted();
      const measured = await suite(shop, name, methods[name].perRound * rounds, parallel);
      found.set(name, measured);
      log(`${measured.count} tests, ${parallel} at a time: ${name} ${Math.round(measured.each)} ms each`);
    }
    const restore = found.get('restore');
    for (const [name, { count, each, waits }] of found) {
      const what = `${count} tests, ${parallel} at a time, each: ${name}`;
      const beside = restore && name !== 'restore' ? { baseline: once(restore.each), against: 'restore' } : {};
      const isGoal = name === 'pool' && restore !== undefined;
      rows.push({
        ...{ part: 'databases', what, unit: 'ms' as const, ours: once(each), ...beside },
        ...(isGoal ? { goal: '5 times faster than restore', met: each * 5 <= restore.each } : {}),
      });
      rows.push({
        ...{
          part: 'databases',
          what: `  a test waits, ${parallel} at a time: ${name}`,
          unit: 'ms' as const,
          ours: waits,
        },
        ...(name === 'pool' ? { goal: `at most ${longestWait} ms`, met: waits.median <= longestWait } : {}),
        note: `from ${Math.round(waits.least)} to ${Math.round(waits.most)} ms`,
      });
    }
  }
  return rows;
}

async function suite(shop: DatabaseShop, name: Method, count: number, parallel: number): Promise<Measured> {
  const { words, method } = methods[name];
  const runner = join(packageRoot(), 'test/bench/databases-runner.mjs');
  const command = ['node', runner, method, String(count), String(parallel), join(shop.folder, 'app')];
  const { code, stdout, stderr } = await shop.run('test', '-p', String(parallel), ...words, '--', ...command);
  if (code !== 0) throw new Error(`${name} ended with ${code}:\n${stderr}`);
  const { total, waits } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as { total: number; waits: number[] };
  return { count, each: total / count, waits: figure(waits) };
}

/** Returns the bytes that a container's processes take, without what the kernel keeps of files. */
async function memoryOf(shop: DatabaseShop, name: string): Promise<number> {
  const shown = await shop.desk.docker('stats', '--no-stream', '--format', '{{.MemUsage}}', name);
  const [, number = '0', unit = 'B'] = /^([\d.]+)([KMG]i?)?B/.exec(shown) ?? [];
  const powers: Readonly<Record<string, number>> = { Ki: 1, Mi: 2, Gi: 3 };
  return Number(number) * 1024 ** (powers[unit] ?? 0);
}

/** Returns the bytes of a container's own layer. */
async function diskOf(shop: DatabaseShop, name: string): Promise<number> {
  const shown = await shop.desk.docker('inspect', '--size', '--format', '{{.SizeRw}}', name);
  return Number(shown.trim());
}

function once(milliseconds: number): Figure {
  return { median: milliseconds, least: milliseconds, most: milliseconds, rounds: 1 };
}
