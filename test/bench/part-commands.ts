import { takeTurns, type Figure, type Row } from './measure.ts';
import type { Part } from './parts.ts';
import { smallReleases } from './releases.ts';

/** The commands that change nothing: how long their whole process takes. */
export const commandsPart: Part = {
  name: 'commands',
  environments: { host: { hosts: 3, reach: 'unix' } },
  async measure(stage, { rounds }) {
    const place = await stage.place('three', stage.lab.hosts);
    const [{ version }] = await smallReleases(stage);
    await stage.promote(version, place);
    const took =
      (...words: string[]) =>
      async () =>
        (await stage.must(...words)).took;
    const { noop, help, status } = await takeTurns(
      Math.max(rounds, 9),
      { noop: took('promote', version, '--to', 'three', '--yes'), help: took('--help'), status: took('status') },
      1,
    );
    return [
      row('promote of what runs already, 3 hosts', noop, 1200),
      row('--help', help, 150),
      row('status, 3 hosts', status, 150),
    ];
  },
};

function row(what: string, ours: Figure, most: number): Row {
  return { part: 'commands', what, unit: 'ms', ours, goal: `under ${most} ms`, met: ours.median < most };
}
