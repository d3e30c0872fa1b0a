/** What an edge costs a request, beside other proxies before the same application, and what it does under too much load. */
import { setTimeout as sleep } from 'node:timers/promises';
import { drive, type Drive } from './edge-client.ts';
import { Contest, contestants, portOf, type Contestant } from './edge-contestants.ts';
import { figure, type Figure, type Row } from './measure.ts';
import type { Part } from './parts.ts';

type Samples = Record<Contestant, number[]>;
type Load = Omit<Drive, 'port'>;

const seconds = 4;
const mebibyte = 2 ** 20;
const mostMemory = 64 * mebibyte;
/** Seconds of ten times as much as it can answer, and until it has to answer again. */
const overloadSeconds = 30;
const recovery = 5;

/** The edge beside other proxies. It needs no hosts. */
export const edgePart: Part = {
  name: 'edge',
  environments: {},
  async withoutHosts({ rounds, log, signal }) {
    const contest = await Contest.open();
    try {
      const rows: Row[] = [];
      for (const connections of [10, 100, 1000]) {
        log(`${connections} connections`);
        rows.push(...(await compare(contest, `${connections} connections`, { connections, seconds }, rounds)));
        signal.throwIfAborted();
      }
      log('new connections, and uploads');
      rows.push(...(await compare(contest, 'new connections', { connections: 10, seconds, fresh: true }, rounds)));
      rows.push(...(await compare(contest, 'POST of 100 kB', { connections: 10, seconds, body: 100_000 }, rounds)));
      log('memory');
      rows.push(await memory(contest));
      log('overload');
      return [...rows, ...(await overload(contest))];
    } finally {
      await contest.close();
    }
  },
  measure: async () => [],
};

/** Throughput and processor of each in turns, then how long a request takes at half of that. */
async function compare(contest: Contest, what: string, load: Load, rounds: number): Promise<Row[]> {
  const [speed, cost, p50, p99] = [samples(), samples(), samples(), samples()];
  for (let round = 0; round < rounds; round += 1) {
    for (const name of contestants) {
      const before = await contest.processor(name);
      const { perSecond, answered } = await drive({ ...load, port: portOf(name) });
      speed[name].push(perSecond);
      cost[name].push(((await contest.processor(name)) - before) / Math.max(1, answered));
      if (load.fresh || load.body !== undefined) continue;
      const steady = await drive({ ...load, port: portOf(name), rate: perSecond / 2 });
      p50[name].push(steady.p50);
      p99[name].push(steady.p99);
    }
  }
  const [ours, plain, ours2] = [figure(speed.edge), figure(speed['plain Caddy']), figure(cost.edge)];
  const beside = { part: 'edge', against: 'plain Caddy' } as const;
  const ratio = { goal: '≥ 0.7 × plain Caddy', met: ours.median >= 0.7 * plain.median };
  const cheap = load.body === undefined ? { goal: '≤ 0.4 ms', met: ours2.median <= 0.4 } : {};
  const rows: Row[] = [
    { ...beside, what: `requests/s, ${what}`, unit: 'requests', ours, baseline: plain, ...ratio, note: all(speed, 0) },
    {
      ...beside,
      what: `processor, ${what}`,
      unit: 'ms',
      ours: ours2,
      baseline: figure(cost['plain Caddy']),
      ...cheap,
      note: all(cost, 3),
    },
  ];
  if (p50.edge.length === 0) return rows;
  const slow = { ...beside, unit: 'ms' } as const;
  return [
    ...rows,
    {
      ...slow,
      what: `p50 at half, ${what}`,
      ours: figure(p50.edge),
      baseline: figure(p50['plain Caddy']),
      note: all(p50, 1),
    },
    {
      ...slow,
      what: `p99 at half, ${what}`,
      ours: figure(p99.edge),
      baseline: figure(p99['plain Caddy']),
      note: all(p99, 1),
    },
  ];
}

/** Memory with two thousand visitors who keep their connections. */
async function memory(contest: Contest): Promise<Row> {
  const found = samples();
  for (const name of contestants) {
    const asking = drive({ port: portOf(name), connections: 2000, seconds: 12, rate: 200 });
    await sleep(11_000);
    found[name].push(await contest.memory(name));
    await asking;
  }
  const ours = figure(found.edge);
  const baseline = figure(found['plain Caddy']);
  const inMebibytes = Object.fromEntries(
    contestants.map((name) => [name, found[name].map((bytes) => bytes / mebibyte)]),
  ) as Samples;
  return {
    ...{ part: 'edge', what: 'memory, 2,000 connections', unit: 'bytes', ours, baseline, against: 'plain Caddy' },
    ...{ goal: '≤ 64 MiB', met: ours.median <= mostMemory, note: `MiB: ${all(inMebibytes, 0)}` },
  };
}

/** Ten times what it answers with a hundred connections, and what it answers afterwards. */
async function overload(contest: Contest): Promise<Row[]> {
  const port = portOf('edge');
  const able = await drive({ port, connections: 100, seconds: 8 });
  const over = await drive({ port, connections: 4000, seconds: overloadSeconds, rate: able.perSecond * 10 });
  const started = performance.now();
  await untilCalm(port);
  const took = performance.now() - started;
  const one = (value: number): Figure => figure([value]);
  const note = `${over.refused} refused and ${over.failed} failed of those sent; memory ${Math.round((await contest.memory('edge')) / mebibyte)} MiB; p99 of answers ${Math.round(over.p99)} ms`;
  return [
    {
      ...{
        part: 'edge',
        what: 'requests/s under ten times as much',
        unit: 'requests',
        ours: one(over.perSecond),
        note,
      },
      ...{ baseline: one(able.perSecond), against: 'without', goal: '≥ 0.8 × that' },
      met: over.perSecond >= 0.8 * able.perSecond,
    },
    {
      ...{ part: 'edge', what: 'until it serves again', unit: 'ms', ours: one(took), goal: `≤ ${recovery} s` },
      met: took <= recovery * 1000,
    },
  ];
}

/** Waits until a second of a moderate load is answered as a whole. */
async function untilCalm(port: number): Promise<void> {
  for (;;) {
    const { answered, refused, failed, p99 } = await drive({ port, connections: 10, seconds: 0.5, rate: 100 });
    if (answered >= 40 && refused + failed === 0 && p99 < 500) return;
  }
}

function samples(): Samples {
  return Object.fromEntries(contestants.map((name) => [name, []])) as unknown as Samples;
}

function all(found: Samples, digits: number): string {
  return contestants.map((name) => `${name} ${figure(found[name]).median.toFixed(digits)}`).join(', ');
}
