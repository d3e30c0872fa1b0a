import { DockerService } from './docker-service.ts';
import { figure, takeTurns, timed, type Figure, type Row } from './measure.ts';
import type { Part } from './parts.ts';
import { smallReleases } from './releases.ts';
import { allAnswer, untilOnly } from './visitor.ts';

const replicas = 9;
const faster = 5;

/** A swarm: nine containers on three nodes, against Swarm's own rolling update and rollback with the same way in. */
export const swarmPart: Part = {
  name: 'swarm',
  environments: { node: { hosts: 3, reach: 'unix', managers: 3 } },
  async measure(stage, { rounds, log }) {
    const place = await stage.place('swarm', stage.lab.hosts, replicas);
    const releases = await smallReleases(stage);
    const release = (round: number) => releases[round % releases.length] ?? releases[0];
    await stage.promote(release(2).version, place);
    const service = new DockerService(place.hosts, replicas);
    await service.prepare(stage.images.edge, release(2).image);
    await allAnswer(service.doors, release(2).version);

    // A promotion has two ends: of the command, and of the last answer by the release before. `docker service update`
    // ends before that one, so it is over with the later of both.
    const warmUp = releases.length;
    const lost = { ours: 0, docker: 0 };
    const changed = { ours: [] as number[], docker: [] as number[] };
    const ends = async (side: keyof typeof changed, round: number, change: () => Promise<unknown>) => {
      let took = 0;
      const done = timed(change).then((ms) => (took = ms));
      const doors = side === 'ours' ? place.doors : service.doors;
      const seen = await untilOnly(doors, release(round).version, done);
      if (round >= warmUp) changed[side].push(seen.ms);
      lost[side] += seen.lost;
      log(`promote, ${side}: ${Math.round(took)} ms, all answers after ${Math.round(seen.ms)} ms, ${seen.lost} lost`);
      return Math.max(took, seen.ms);
    };
    const promote = await takeTurns(
      rounds,
      {
        ours: async (round) => {
          await service.rest(true);
          return ends('ours', round, () => stage.promote(release(round).version, place));
        },
        docker: async (round) => {
          await service.rest(false);
          return ends('docker', round, () => service.update(release(round).image));
        },
      },
      warmUp,
    );

    const [old, fresh] = releases;
    await stage.promote(old.version, place);
    await service.rest(false);
    await service.update(old.image);
    const rollback = await takeTurns(
      rounds,
      {
        ours: async () => {
          await service.rest(true);
          await stage.promote(fresh.version, place);
          const seen = await untilOnly(place.doors, old.version, stage.must('rollback', place.name, '--yes', '--json'));
          await stage.must('resume', place.name, '--json');
          lost.ours += seen.lost;
          log(`rollback, ours: all answers after ${Math.round(seen.ms)} ms, ${seen.lost} lost`);
          return seen.ms;
        },
        docker: async () => {
          await service.rest(false);
          await service.update(fresh.image);
          const seen = await untilOnly(service.doors, old.version, service.rollback());
          lost.docker += seen.lost;
          log(`rollback, docker: all answers after ${Math.round(seen.ms)} ms, ${seen.lost} lost`);
          return seen.ms;
        },
      },
      1,
    );
    service.close();
    const note = `asks without a good answer, all rounds: ${lost.ours} of Lockage's, ${lost.docker} of the service`;
    const update = 'docker service update';
    return [
      row('promote, until command and change are over', promote.ours, promote.docker, update, 1),
      row('promote, until all answers are new', figure(changed.ours), figure(changed.docker), update, 1, note),
      row('rollback, until all answers are old', rollback.ours, rollback.docker, 'docker service rollback', faster),
    ];
  },
};

function row(what: string, ours: Figure, baseline: Figure, against: string, times: number, note?: string): Row {
  return {
    part: 'swarm',
    what: `${what}, 9 replicas`,
    unit: 'ms',
    ours,
    baseline,
    against,
    goal: times === 1 ? 'not slower' : `at least ${times} times faster`,
    met: ours.median * times <= baseline.median,
    ...(note === undefined ? {} : { note }),
  };
}
