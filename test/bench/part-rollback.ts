import type { Part } from './parts.ts';
import { takeTurns, timed, type Row } from './measure.ts';
import { smallReleases, type SmallRelease } from './releases.ts';
import type { Place, Stage } from './stage.ts';
import { allAnswer } from './visitor.ts';

const most = 400;

/** Until every host answers with the old version again, as a visitor sees it, against the switch alone. */
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
    for (const place of [one, three, ten]) rows.push(await compare(stage, place, old, fresh, rounds));
    return rows;
  },
};

async function compare(
  stage: Stage,
  place: Place,
  old: SmallRelease,
  fresh: SmallRelease,
  rounds: number,
): Promise<Row> {
  // Both sides need both images on the hosts.
  for (const { version } of [fresh, old]) await stage.promote(version, place);
  const byHand = await stage.byHand(place);
  const doors = byHand.map(({ door }) => door);
  const containers = await Promise.all(
    byHand.map(async (host) => ({ host, old: await host.start(old.image), fresh: await host.start(fresh.image) })),
  );
  const { ours, hand } = await takeTurns(
    rounds,
    {
      ours: async () => {
        await stage.promote(fresh.version, place);
        const ended = { rollback: stage.must('rollback', place.name, '--yes', '--json') };
        const seen = await timed(() => Promise.race([allAnswer(place.doors, old.version), ended.rollback.then(never)]));
        await ended.rollback;
        await stage.must('resume', place.name, '--json');
        return seen;
      },
      hand: async () => {
        await Promise.all(containers.map(({ host, fresh: name }) => host.switchTo(name)));
        await allAnswer(doors, fresh.version);
        const switching = Promise.all(containers.map(({ host, old: name }) => host.switchTo(name)));
        const seen = await timed(() => allAnswer(doors, old.version));
        await switching;
        return seen;
      },
    },
    1,
  );
  const above = ours.median - hand.median;
  return {
    part: 'rollback',
    what: `${doors.length} host${doors.length === 1 ? '' : 's'}, until all answer`,
    unit: 'ms',
    ours,
    baseline: hand,
    against: 'the switch alone',
    goal: `at most ${most} ms above`,
    met: above <= most,
    note: `${Math.round(above)} ms above the switch; seen by new connections every ${2 * doors.length} ms to each host`,
  };
}

/** A rollback ends after its traffic is back: its end alone decides nothing. */
function never(): Promise<never> {
  return new Promise(() => undefined);
}
