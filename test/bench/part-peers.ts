import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run, tryRun } from '../../scripts/tools/command.ts';
import { takeTurns, timed, type Row } from './measure.ts';
import type { Part } from './parts.ts';
import { smallReleases, type SmallRelease } from './releases.ts';
import type { Place, Stage } from './stage.ts';

/** The other tools at the same job on the same host, as far as they are installed here. */
export const peersPart: Part = {
  name: 'peers',
  environments: { host: { hosts: 1, reach: 'unix' } },
  withoutHosts: async () => ((await installed()).length > 0 ? [] : session.map(missing)),
  async measure(stage, { rounds }) {
    const place = await stage.place('one', stage.lab.hosts);
    const releases = await smallReleases(stage);
    const found = await installed();
    const rows: Row[] = [];
    for (const tool of session) {
      rows.push(found.includes(tool) ? await compare(stage, place, releases, rounds, tool) : missing(tool));
    }
    return rows;
  },
};

interface Tool {
  readonly name: string;
  readonly version: readonly string[];
  /** changes to this image */
  change(stage: Stage, dockerHost: string, image: string): Promise<void>;
}

const session: readonly Tool[] = [
  {
    name: 'docker compose up',
    version: ['docker', 'compose', 'version'],
    change: async (stage, dockerHost, image) => {
      const file = join(stage.lab.dataDir, 'compose.json');
      await writeFile(file, JSON.stringify({ services: { web: { image, init: true, ports: ['9100:8080'] } } }));
      const words = ['--project-name', 'bench', '--file', file, 'up', '--detach', '--wait', '--quiet-pull'];
      await run(['docker', '-H', dockerHost, 'compose', ...words]);
    },
  },
  {
    name: 'ansible docker_container',
    version: ['ansible', '--version'],
    change: async (_stage, dockerHost, image) => {
      const wanted = { name: 'by-ansible', image, init: true, state: 'started', published_ports: ['9200:8080'] };
      const words = ['localhost', '--connection', 'local', '--module-name', 'community.docker.docker_container'];
      await run(['ansible', ...words, '--args', JSON.stringify({ ...wanted, docker_host: dockerHost })]);
    },
  },
];

async function installed(): Promise<Tool[]> {
  const answers = await Promise.all(session.map(({ version }) => tryRun(version, { timeout: 20_000 })));
  return session.filter((_, index) => answers[index] !== undefined);
}

function missing({ name }: Tool): Row {
  return { part: 'peers', what: `${name}, 1 host`, unit: 'ms', against: 'not installed' };
}

async function compare(
  stage: Stage,
  place: Place,
  releases: readonly SmallRelease[],
  rounds: number,
  { name, change }: Tool,
): Promise<Row> {
  const dockerHost = place.hosts[0]?.dockerHost ?? '';
  const release = (round: number) => releases[round % releases.length] ?? { version: '', image: '' };
  const { ours, peer } = await takeTurns(
    rounds,
    {
      ours: async (round) => (await stage.promote(release(round).version, place)).took,
      peer: async (round) => timed(() => change(stage, dockerHost, release(round).image)),
    },
    releases.length,
  );
  const note = 'the other tool stops the old container before the new one answers: requests fail meanwhile';
  return { part: 'peers', what: 'promote, 1 host', unit: 'ms', ours, baseline: peer, against: name, note };
}
