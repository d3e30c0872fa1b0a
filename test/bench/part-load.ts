import { setTimeout as sleep } from 'node:timers/promises';
import { startLoad, type LoadOptions } from '../../scripts/load/load.ts';
import { judged, judgedByUse, processorUse, usedByOthers } from './busy.ts';
import { figure, type Row } from './measure.ts';
import type { Part } from './parts.ts';
import type { Place, Stage } from './stage.ts';

const pairsOfARound = 4;
/** Requests a second, over all three hosts. The second only where the machine carries it while nothing changes. */
const rates = [500, 1000] as const;
/** Milliseconds within which 99 of 100 requests are answered by a machine that carries a load. */
const carried = 250;
const versions = ['2.0.0', '2.1.0', '2.2.0'];

interface Run {
  readonly stage: Stage;
  readonly place: Place;
  readonly rate: number;
  readonly pairs: number;
  readonly log: (line: string) => void;
}

/** The promotions and rollbacks under constant load: how many requests fail. */
export const loadPart: Part = {
  name: 'load',
  judgesItself: true,
  environments: { host: { hosts: 3, reach: 'unix' } },
  async measure(stage, { rounds, log }) {
    const place = await stage.place('three', stage.lab.hosts);
    for (const version of versions) await stage.slowRelease(version);
    await stage.promote('2.0.0', place);
    const rows: Row[] = [];
    for (const rate of rates) {
      const run = { stage, place, rate, pairs: rounds * pairsOfARound, log };
      const before = await usedByOthers();
      const calm = rate > rates[0] ? await calmLatency(run) : 0;
      const found = calm > carried ? [tooMuch(run, calm)] : await changesUnderLoad(run);
      rows.push(...judged(found, Math.max(before, await usedByOthers())));
    }
    return rows;
  },
};

function loadOf({ place, rate }: Run): LoadOptions {
  return {
    urls: place.doors.map(({ address, port }) => `http://${address}:${port}/`),
    rate,
    connections: 'both',
    // One to each host in turn, so that at every moment each has some that will end two seconds later.
    slow: { path: '/slow?ms=2000', everyMs: 200 },
  };
}

/** Returns the milliseconds within which 99 of 100 requests are answered while nothing changes; without end if any fails. */
async function calmLatency(run: Run): Promise<number> {
  const load = await startLoad(loadOf(run));
  await sleep(8000);
  const { failed, latency } = await load.stop();
  return failed > 0 ? Number.POSITIVE_INFINITY : latency.p99;
}

function tooMuch({ pairs, rate }: Run, calm: number): Row {
  const found = Number.isFinite(calm) ? `p99 was ${Math.round(calm)} ms` : 'some failed';
  const note = `not run: this machine does not carry ${rate} requests/s while nothing changes (${found})`;
  return { part: 'load', what: whatOf(pairs, rate), unit: 'requests', goal: 'none', note };
}

function whatOf(pairs: number, rate: number): string {
  return `${pairs} promotions and rollbacks, ${rate} requests/s, failed`;
}

async function changesUnderLoad(run: Run): Promise<readonly Row[]> {
  const { stage, place, rate, pairs, log } = run;
  const use = processorUse();
  const load = await startLoad(loadOf(run));
  try {
    await sleep(2000);
    for (let pair = 1; pair <= pairs; pair += 1) {
      // Never the standby: its containers would not be made again.
      await stage.promote(versions[1 + (pair % 2)] ?? '', place);
      await stage.must('rollback', place.name, '--yes', '--json');
      await stage.must('resume', place.name, '--json');
      const { sent, failed } = load.stats();
      log(`${rate}/s, pair ${pair} of ${pairs}: ${sent} requests, ${failed} failed`);
    }
    await sleep(2000);
  } finally {
    await load.stop().catch(() => undefined);
  }
  const used = use();
  const { sent, failed, retried, slow, latency, errors } = load.stats();
  const kinds = Object.entries(errors).map(([kind, count]) => `${count} ${kind}`);
  const row = {
    part: 'load',
    what: whatOf(pairs, rate),
    unit: 'requests',
    ours: figure([failed]),
    against: `of ${sent}`,
    goal: 'none',
    met: failed === 0 && slow.ok === slow.sent,
    note: [
      `new and kept connections; ${slow.ok} of ${slow.sent} two-second requests in flight over the switches ended well`,
      `${retried} repeated because the server had just closed their kept connection`,
      `latency p50 ${latency.p50} ms, p99 ${latency.p99} ms, longest ${Math.round(latency.max)} ms`,
      ...kinds,
    ].join('; '),
  } as const;
  return judgedByUse([row], used);
}
