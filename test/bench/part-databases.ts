import { appendFile } from 'node:fs/promises';
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

/** Milliseconds that a test waits for something of its own, where tests are not to do nothing but load the database. */
const ownTime = 2_000;

/** What an ordinary database has besides the sample's two tables: 100,000 rows in 40 tables, with an index each. */
const tables = `
do $$
begin
  for number in 1..40 loop
    execute format('create table orders_%s (id bigserial primary key, customer int not null, item text not null)', number);
    execute format('insert into orders_%s (customer, item) select n %% 997, md5(n::text) from generate_series(1, 2500) n', number);
    execute format('create index on orders_%s (customer, item)', number);
  end loop;
end $$;
`;

interface Measured {
  /** tests that were run */
  readonly count: number;
  /** milliseconds for each, from the start of the first to the end of the last */
  readonly each: number;
  /** milliseconds that each waited for its database */
  readonly waits: Figure;
}

interface Method {
  /** of `lockage test` */
  readonly words: readonly string[];
  /** the runner's word */
  readonly method: 'taken' | 'truncate' | 'restore';
  readonly perRound: number;
  /** milliseconds */
  readonly ownTime?: number;
}

const pool: Method = { words: ['--per', 'test'], method: 'taken', perRound: testsPerRound };

/** The ways to a pristine database. */
const methods: Readonly<Record<string, Method>> = {
  pool,
  cold: { words: [], method: 'taken', perRound: slowPerRound },
  template: { words: ['--per', 'test', '--strategy', 'template'], method: 'taken', perRound: testsPerRound },
  truncate: { words: [], method: 'truncate', perRound: testsPerRound },
  restore: { words: [], method: 'restore', perRound: slowPerRound },
};

/** Tests that change data, each on a pristine copy, by forks and by what else gives one. */
export const databasesPart: Part = {
  name: 'databases',
  environments: {},
  async withoutHosts(options) {
    const shop = await DatabaseShop.open();
    try {
      await appendFile(join(shop.folder, 'seed.sql'), tables);
      await shop.succeed('db', 'bake');
      return [...(await coldForks(shop, options)), ...(await suites(shop, options)), await patient(shop, options)];
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
    const found = new Map<string, Measured>();
    for (const [name, method] of Object.entries(methods)) {
      signal.throwIfAborted();
      const measured = await suite(shop, method, method.perRound * rounds, parallel);
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

/** Tests that take a while, 16 at a time: as many databases are asked for as the pool can make ready meanwhile. */
async function patient(shop: DatabaseShop, { rounds, log }: PartOptions): Promise<Row> {
  const { count, waits } = await suite(shop, { ...pool, ownTime }, testsPerRound * rounds, 16);
  log(`${count} tests of ${ownTime / 1000} s, 16 at a time`);
  return {
    ...{ part: 'databases', what: `a test of ${ownTime / 1000} s waits, 16 at a time: pool`, unit: 'ms', ours: waits },
    ...{ goal: `at most ${longestWait} ms`, met: waits.median <= longestWait },
    note: `from ${Math.round(waits.least)} to ${Math.round(waits.most)} ms`,
  };
}

async function suite(shop: DatabaseShop, method: Method, count: number, parallel: number): Promise<Measured> {
  const runner = join(packageRoot(), 'test/bench/databases-runner.mjs');
  const numbers = [count, parallel, method.ownTime ?? 0].map(String);
  const command = ['node', runner, method.method, ...numbers, join(shop.folder, 'app')];
  const words = ['test', '-p', String(parallel), ...method.words, '--', ...command];
  const { code, stdout, stderr } = await shop.run(...words);
  if (code !== 0) throw new Error(`lockage ${words.join(' ')} ended with ${code}:\n${stderr}`);
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
