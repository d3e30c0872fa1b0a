import { comparePromotion, compareRollback } from './compare.ts';
import type { Row } from './measure.ts';
import type { Part } from './parts.ts';
import { smallReleases } from './releases.ts';
import { targetKinds, targetLabs, targetPlace } from './target-kinds.ts';

/** The promotion and rollback on every kind of target, each beside the same change by hand on the same hosts. */
export const targetsPart: Part = {
  name: 'targets',
  environments: targetLabs,
  async measure(stage, { rounds, log }) {
    const places = [];
    for (const kind of targetKinds) places.push({ ...kind, place: await targetPlace(stage, kind) });
    const releases = await smallReleases(stage);
    const [old, fresh] = releases;
    const promotions: Row[] = [];
    const rollbacks: Row[] = [];
    for (const { what, place } of places) {
      // The environment makes its own machines for its first release.
      await stage.promote(old.version, place);
      const made = await stage.made(place);
      log(`${what}: promotions`);
      const promotion = await comparePromotion(stage, made, releases, rounds);
      promotions.push(row(`promote, ${what}`, promotion, 'Engine API by hand'));
      log(`${what}: rollbacks`);
      const rollback = await compareRollback(stage, made, old, fresh, rounds);
      rollbacks.push(row(`rollback until all answer, ${what}`, rollback, 'the switch alone'));
    }
    return [...promotions, ...rollbacks];
  },
};

function row(what: string, { ours, hand }: Awaited<ReturnType<typeof compareRollback>>, against: string): Row {
  return { part: 'targets', what, unit: 'ms', ours, baseline: hand, against };
}
