import { setTimeout as sleep } from 'node:timers/promises';
import { startLoad } from '../../scripts/load/load.ts';
import { figure } from './measure.ts';
import type { Part } from './parts.ts';

const pairsOfARound = 4;

/** The promotions and rollbacks under constant load: how many requests fail. */
export const loadPart: Part = {
  name: 'load',
  environments: { host: { hosts: 3, reach: 'unix' } },
  async measure(stage, { rounds, log }) {
    const pairs = rounds * pairsOfARound;
    const place = await stage.place('three', stage.lab.hosts);
    const versions = ['2.0.0', '2.1.0', '2.2.0'];
    for (const version of versions) await stage.slowRelease(version);
    await stage.promote('2.0.0', place);
    const load = await startLoad({
      urls: place.doors.map(({ address, port }) => `http://${address}:${port}/`),
      rate: 500,
      connections: 'both',
      // One to each host in turn, so that at every moment each has some that will end two seconds later.
      slow: { path: '/slow?ms=2000', everyMs: 200 },
    });
    try {
      await sleep(2000);
      for (let pair = 1; pair <= pairs; pair += 1) {
        // Never the standby: its containers would not be made again.
        await stage.promote(versions[1 + (pair % 2)] ?? '', place);
        await stage.must('rollback', place.name, '--yes', '--json');
        await stage.must('resume', place.name, '--json');
        const { sent, failed } = load.stats();
        log(`pair ${pair} of ${pairs}: ${sent} requests, ${failed} failed`);
      }
      await sleep(2000);
    } finally {
      await load.stop().catch(() => undefined);
    }
    const { sent, failed, retried, slow, latency, errors } = load.stats();
    const kinds = Object.entries(errors).map(([kind, count]) => `${count} ${kind}`);
    return [
      {
        part: 'load',
        what: `${pairs} promotions and rollbacks, 500 requests/s, failed`,
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
      },
    ];
  },
};
