/** The promotion and rollback of an environment beside the same change by hand, in turns on the same hosts. */
import { takeTurns, timed, type Figure } from './measure.ts';
import type { SmallRelease } from './releases.ts';
import type { Place, Stage } from './stage.ts';
import { allAnswer } from './visitor.ts';

interface Compared {
  readonly ours: Figure;
  readonly hand: Figure;
}

/** Compares promotions: ours from the start of the process to its end; by hand, in a program that already runs. */
export async function comparePromotion(
  stage: Stage,
  place: Place,
  releases: readonly SmallRelease[],
  rounds: number,
): Promise<Compared> {
  const byHand = await stage.byHand(place);
  // With as many releases as this, none of them is still there as a standby when its turn comes again.
  const release = (round: number) => releases[round % releases.length] ?? { version: '', image: '' };
  return takeTurns(
    rounds,
    {
      ours: async (round) => (await stage.promote(release(round).version, place)).took,
      hand: async (round) => timed(() => Promise.all(byHand.map((hand) => hand.promote(release(round).image)))),
    },
    releases.length,
  );
}

/**
 * Compares rollbacks, until every door answers with the earlier release, as a visitor sees it; by hand it is the
 * switch alone.
 */
export async function compareRollback(
  stage: Stage,
  place: Place,
  old: SmallRelease,
  fresh: SmallRelease,
  rounds: number,
): Promise<Compared> {
  // Both sides need both images on the hosts.
  for (const { version } of [fresh, old]) await stage.promote(version, place);
  const byHand = await stage.byHand(place);
  const doors = byHand.flatMap((hand) => hand.doors);
  const running = await Promise.all(
    byHand.map(async (hand) => ({ hand, old: await hand.start(old.image), fresh: await hand.start(fresh.image) })),
  );
  return takeTurns(
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
        await Promise.all(running.map(({ hand, fresh: name }) => hand.switchTo(name)));
        await allAnswer(doors, fresh.version);
        const switching = Promise.all(running.map(({ hand, old: name }) => hand.switchTo(name)));
        const seen = await timed(() => allAnswer(doors, old.version));
        await switching;
        return seen;
      },
    },
    1,
  );
}

/** Never resolves: a rollback ends after its traffic is back, so its end alone decides nothing. */
function never(): Promise<never> {
  return new Promise(() => undefined);
}
