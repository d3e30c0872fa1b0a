import { compareRollback } from './compare.ts';
import type { Row } from './measure.ts';
import type { Part } from './parts.ts';
import { smallReleases } from './releases.ts';

const most = 400;

/** A rollback, until every host answers with the old version again, as a visitor sees it, against the switch alone. */
export const rollbackPart: Part = {
  name: 'rollback',
  environments: { host: { hosts: 10, reach: 'unix' } },
  async measure(stage, { rounds }) {
    const { hosts } = stage.lab;
    const one = await stage.place('one', hosts.slice(0, 1));
    const three = await stage.place('three', hosts.slice(0, 3));
    const ten = await stage.place('ten', hosts);
    const [old, fresh] = await smallReleases(stage);
    const rows: Row[] = [];
    for (const place of [one, three, ten]) {
      const { ours, hand } = await compareRollback(stage, place, old, fresh, rounds);
      const above = ours.median - hand.median;
      const { length } = place.hosts;
      rows.push({
        part: 'rollback',
        what: `${length} host${length === 1 ? '' : 's'}, until all answer`,
        unit: 'ms',
        ours,
        baseline: hand,
        against: 'the switch alone',
        goal: `at most ${most} ms above`,
        met: above <= most,
        note: `${Math.round(above)} ms above the switch; seen by new connections every ${2 * length} ms to each host`,
      });
    }
    return rows;
  },
};
