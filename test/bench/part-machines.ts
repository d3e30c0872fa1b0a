import { figure, takeTurns, type Row } from './measure.ts';
import type { Part } from './parts.ts';
import { smallReleases } from './releases.ts';
import type { Place, Stage } from './stage.ts';
import { machineKinds, targetPlace } from './target-kinds.ts';
import { allAnswer, type Door } from './visitor.ts';

const maxBootTime = 300_000;

/** A machine replaced by one of another image: until the release serves in the new one, and the command's end. */
export const machinesPart: Part = {
  name: 'machines',
  environments: {},
  async measure(stage, { rounds, log }) {
    const places: { what: string; place: Place }[] = [];
    for (const kind of machineKinds) places.push({ what: kind.what, place: await targetPlace(stage, kind) });
    const [release] = await smallReleases(stage);
    for (const { place } of places) await stage.promote(release.version, place);
    log('building other images');
    const images = ['1.1.0', '1.0.0'] as const;
    await stage.must('vm-image', 'build', images[0]);
    const rows: Row[] = [];
    for (const { what, place } of places) {
      const booted: number[] = [];
      const served: number[] = [];
      const { replaced } = await takeTurns(rounds, {
        replaced: async (round) => {
          const door = await otherDoor(stage, place);
          const started = performance.now();
          const replacing = stage.must('vm-image', 'promote', images[round % 2] ?? '', '--to', place.name, '--yes');
          await Promise.race([allAnswer([door], release.version, maxBootTime), replacing.then(afterwards)]);
          served.push(performance.now() - started);
          const { stderr, took } = await replacing;
          booted.push(whenBooted(stderr));
          log(`${what}: ${seconds(booted.at(-1))} booted, ${seconds(served.at(-1))} serving, ${seconds(took)} in all`);
          return took;
        },
      });
      const boot = { baseline: figure(booted), against: 'of it until its engine answers' };
      rows.push(row(`${what} replaced, until the release serves in the new one`, { ours: figure(served), ...boot }));
      rows.push(row(`${what} replaced, until the old one is gone`, { ours: replaced, ...boot }));
    }
    return rows;
  },
};

/** Returns where the machine that takes over will answer: the addresses of the two pools are a hundred apart. */
async function otherDoor(stage: Stage, place: Place): Promise<Door> {
  const [door] = (await stage.made(place)).doors;
  const [, network = '', last = ''] = /^(.*\.)(\d+)$/.exec(door?.address ?? '') ?? [];
  const number = Number(last);
  return { address: `${network}${number < 100 ? number + 100 : number - 100}`, port: place.port };
}

/**
 * Throws an error: the change must be seen before the command ends, as what is seen later is not the change, but its
 * result.
 */
async function afterwards(): Promise<void> {
  throw new Error('the command was over before anybody saw the new machine answer');
}

/** Returns the milliseconds of the boot, as the command reports them. */
function whenBooted(progress: string): number {
  const [, minutes = '0', time, unit] = /^ +(?:(\d+) min )?([\d.]+) (ms|s) +\S+ +machine /m.exec(progress) ?? [];
  if (time === undefined) throw new Error(`no machine booted:\n${progress}`);
  return Number(minutes) * 60_000 + Number(time) * (unit === 's' ? 1000 : 1);
}

function row(what: string, figures: Pick<Row, 'ours' | 'baseline' | 'against'>): Row {
  return { part: 'machines', what, unit: 'ms', ...figures };
}

function seconds(ms = 0): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
