import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run, tryRun } from '../../scripts/lab/command.ts';
import { takeTurns, timed, type Row } from './measure.ts';
import type { Part } from './parts.ts';
import { smallReleases, type SmallRelease } from './releases.ts';
import type { Place, Stage } from './stage.ts';

/** Other tools at the same job on the same host, as far as they are installed here. */
export const peersPart: Part = {
  name: 'peers',
  environments: { host: { hosts: 1, reach: 'unix' } },
  async measure(stage, { rounds }) {
    const place = await stage.place('one', stage.lab.hosts);
    const releases = await smallReleases(stage);
    return [await compose(stage, place, releases, rounds), await ansible(stage, place, releases, rounds)];
  },
};

const missing = (what: string): Row => ({ part: 'peers', what, unit: 'ms', against: 'not installed' });

async function compose(stage: Stage, place: Place, releases: readonly SmallRelease[], rounds: number): Promise<Row> {
  const name = 'docker compose up, 1 host';
  if ((await tryRun(['docker', 'compose', 'version'], { timeout: 10_000 })) === undefined) return missing(name);
  const file = join(stage.lab.dataDir, 'compose.json');
  return against(stage, place, releases, rounds, name, async (image) => {
    await writeFile(file, JSON.stringify({ services: { web: { image, init: true, ports: ['9100:8080'] } } }));
    const words = ['compose', '--project-name', 'bench', '--file', file, 'up', '--detach', '--wait', '--quiet-pull'];
    await run(['docker', '-H', place.hosts[0]?.dockerHost ?? '', ...words]);
  });
}

async function ansible(stage: Stage, place: Place, releases: readonly SmallRelease[], rounds: number): Promise<Row> {
  const name = 'ansible docker_container, 1 host';
  if ((await tryRun(['ansible', '--version'], { timeout: 20_000 })) === undefined) return missing(name);
  return against(stage, place, releases, rounds, name, async (image) => {
    const wanted = { name: 'by-ansible', image, init: true, state: 'started', published_ports: ['9200:8080'] };
    const settings = JSON.stringify({ ...wanted, docker_host: place.hosts[0]?.dockerHost });
    const words = ['localhost', '--connection', 'local', '--module-name', 'community.docker.docker_container'];
    await run(['ansible', ...words, '--args', settings]);
  });
}

async function against(
  stage: Stage,
  place: Place,
  releases: readonly SmallRelease[],
  rounds: number,
  name: string,
  change: (image: string) => Promise<void>,
): Promise<Row> {
  const release = (round: number) => releases[round % releases.length] ?? { version: '', image: '' };
  const { ours, peer } = await takeTurns(
    rounds,
    {
      ours: async (round) => (await stage.promote(release(round).version, place)).took,
      peer: async (round) => timed(() => change(release(round).image)),
    },
    releases.length,
  );
  const note = 'it stops the old container before the new one answers: requests fail meanwhile';
  return { part: 'peers', what: 'promote, 1 host', unit: 'ms', ours, baseline: peer, against: name, note };
}
