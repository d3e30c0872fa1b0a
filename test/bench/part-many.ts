import { CliHost } from './docker-cli.ts';
import { takeTurns, timed } from './measure.ts';
import type { Part } from './parts.ts';
import { smallReleases } from './releases.ts';

const hosts = 30;
const most = 2;

/** A promotion to thirty hosts against the Docker CLI, once for each host and all at once. */
export const manyPart: Part = {
  name: 'many',
  environments: { host: { hosts, reach: 'unix' } },
  async measure(stage, { rounds }) {
    const place = await stage.place('thirty', stage.lab.hosts);
    const releases = await smallReleases(stage);
    const byCli = place.hosts.map((host) => new CliHost(host));
    const release = (round: number) => releases[round % releases.length] ?? releases[0];
    await stage.promote(release(0).version, place);
    await Promise.all(byCli.map((host) => host.prepare(stage.images.edge)));
    const fewer = Math.min(rounds, 3);
    const { ours, cli } = await takeTurns(
      fewer,
      {
        ours: async (round) => (await stage.promote(release(round + 1).version, place)).took,
        cli: async (round) => timed(() => Promise.all(byCli.map((host) => host.promote(release(round + 1).image)))),
      },
      releases.length,
    );
    const ratio = ours.median / cli.median;
    return [
      {
        part: 'many',
        what: `promote, ${hosts} hosts`,
        unit: 'ms',
        ours,
        baseline: cli,
        against: 'docker CLI, all hosts at once',
        goal: `at most ${most} times`,
        met: ratio <= most,
        note: `${fewer} rounds`,
      },
    ];
  },
};
