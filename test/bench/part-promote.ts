import { comparePromotion } from './compare.ts';
import type { Row } from './measure.ts';
import type { Part } from './parts.ts';
import { smallReleases, type SmallRelease } from './releases.ts';
import type { Place, Stage } from './stage.ts';

/** A promotion, from the start of the process to its end, against the least that the engines need for the same change. */
export const promotePart: Part = {
  name: 'promote',
  environments: { host: { hosts: 3, reach: 'unix' }, far: { hosts: 1, reach: 'ssh' } },
  async measure(stage, { rounds }) {
    const hosts = stage.lab.hosts.filter(({ environment }) => environment === 'host');
    const far = stage.lab.hosts.filter(({ environment }) => environment === 'far');
    const one = await stage.place('one', hosts.slice(0, 1));
    const three = await stage.place('three', hosts);
    const overSsh = await stage.place('far', far);
    const releases = await smallReleases(stage);
    return [
      await compare(stage, one, releases, rounds, '1 host', 3.5),
      await compare(stage, three, releases, rounds, '3 hosts', 2.5),
      await compare(stage, overSsh, releases, rounds, '1 host over ssh'),
    ];
  },
};

async function compare(
  stage: Stage,
  place: Place,
  releases: readonly SmallRelease[],
  rounds: number,
  what: string,
  most?: number,
): Promise<Row> {
  const { ours, hand } = await comparePromotion(stage, place, releases, rounds);
  return {
    part: 'promote',
    what,
    unit: 'ms',
    ours,
    baseline: hand,
    against: 'Engine API by hand',
    note: 'whole process, against calls from one that runs; watch is 0s, as by hand nobody watches either',
    ...(most === undefined ? {} : { goal: `at most ${most} times`, met: ours.median <= most * hand.median }),
  };
}
