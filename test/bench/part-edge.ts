/** What an edge costs a request, beside other proxies before the same application, and what it does under too much load. */
import { setTimeout as sleep } from 'node:timers/promises';
import { drive, type Drive } from '../support/driver.ts';
import { Contest, contestants, portOf, type Contestant } from './edge-contestants.ts';
import { figure, timed, type Figure, type Row } from './measure.ts';
import type { Part } from './parts.ts';

type Samples = Record<Contestant, number[]>;
type Load = Omit<Drive, 'port'>;

const seconds = 4;
const mebibyte = 2 ** 20;
const mostMemory = 64 * mebibyte;
/** Seconds of ten times as much as it can answer, and until it has to answer again. */
const overloadSeconds = 30;
const recovery = 5;
/** Seconds after which it is not waited for any longer. */
const patience = 60;
/** The share of a processor that it has meanwhile: who asks, and the application, need several times as much. */
const share = 0.5;
/** Visitors who keep it at its limit, and are not more than it takes at once. */
const usual = 200;

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
      log('shares, and memory');
      rows.push(...(await spread(contest)), await memory(contest));
      for (const name of ['edge', 'edge of several', 'load balancer'] as const) {
        log(`overload of the ${name}`);
        rows.push(...(await overload(contest, name)));
        signal.throwIfAborted();
      }
      return rows;
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
  const [found, own] = [samples(), samples()];
  for (const name of contestants) {
    const asking = drive({ port: portOf(name), connections: 2000, seconds: 12, rate: 200 });
    await sleep(11_000);
    found[name].push((await contest.memory(name)) / mebibyte);
    own[name].push((await contest.ownMemory(name)) / mebibyte);
    await asking;
  }
  const [ours, baseline] = [found.edge, found['plain Caddy']].map((sizes) =>
    figure(sizes.map((size) => size * mebibyte)),
  );
  const note = `MiB: ${all(found, 0)}; without the program itself: ${all(own, 0)}`;
  return {
    ...{ part: 'edge', what: 'memory, 2,000 connections', unit: 'bytes', against: 'plain Caddy', note },
    ...(ours && baseline ? { ours, baseline } : {}),
    ...{ goal: '≤ 64 MiB', met: ours !== undefined && ours.median <= mostMemory },
  };
}

/** Whether those who spread requests do it evenly: the largest and the smallest share of three, with few visitors. */
async function spread(contest: Contest): Promise<Row[]> {
  const rows: Row[] = [];
  for (const name of ['edge of several', 'load balancer'] as const) {
    const before = await contest.counts();
    await drive({ port: portOf(name), connections: 10, seconds });
    const counts = (await contest.counts()).map((count, index) => count - (before[index] ?? 0));
    const most = Math.max(...counts) / Math.max(1, Math.min(...counts));
    rows.push({
      ...{ part: 'edge', what: `largest of three shares, ${name}`, unit: 'requests', ours: one(Math.max(...counts)) },
      ...{ baseline: one(Math.min(...counts)), against: 'the smallest', goal: '≤ 1.2 × that', met: most <= 1.2 },
    });
  }
  return rows;
}

/**
 * Ten times as much as it can answer with half a processor, for half a minute, in two ways: two thousand visitors who wait for
 * their answer, and come again after as long as they were told; and ten times the requests a second, whatever becomes of
 * them, from up to 4,000 connections.
 */
async function overload(contest: Contest, name: Contestant): Promise<Row[]> {
  await contest.limit(name, share);
  const able = (await drive({ port: portOf(name), connections: usual, seconds: 8 })).perSecond;
  const visitors = { connections: usual * 10, patient: true };
  return [
    ...(await overloadBy(contest, name, { able, what: 'visitors', load: visitors })),
    ...(await overloadBy(contest, name, { able, what: 'requests', load: { connections: 4000, rate: able * 10 } })),
  ];
}

async function overloadBy(contest: Contest, name: Contestant, { able, what, load }: Overload): Promise<Row[]> {
  const port = portOf(name);
  const before = await contest.processor(name);
  const over = await drive({ port, seconds: overloadSeconds, ...load });
  const used = ((await contest.processor(name)) - before) / (overloadSeconds * 1000);
  const took = await timed(() => untilCalm(port));
  const mebibytes = Math.round((await contest.memory(name)) / mebibyte);
  const note = `${over.refused} refused and ${over.failed} failed of those sent; it used ${used.toFixed(2)} of ${share} processors; memory ${mebibytes} MiB; p99 of answers ${Math.round(over.p99)} ms`;
  const [part, unit] = ['edge', 'requests'] as const;
  return [
    {
      ...{ part, unit, note, what: `requests/s under ten times the ${what}, ${name}`, ours: one(over.perSecond) },
      ...{ baseline: one(able), against: 'without', goal: '≥ 0.8 × that', met: over.perSecond >= 0.8 * able },
    },
    {
      ...{ part, unit: 'ms', what: `until it serves again after ten times the ${what}, ${name}`, ours: one(took) },
      ...{ goal: `≤ ${recovery} s`, met: took <= recovery * 1000 },
    },
  ];
}

interface Overload {
  readonly what: string;
  readonly load: Omit<Load, 'seconds'>;
  /** requests a second that it answers otherwise */
  readonly able: number;
}

function one(value: number): Figure {
  return figure([value]);
}

/** Waits until a second of a moderate load is answered as a whole, or it is plain that it will not be. */
async function untilCalm(port: number): Promise<void> {
  const end = performance.now() + patience * 1000;
  while (performance.now() < end) {
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
