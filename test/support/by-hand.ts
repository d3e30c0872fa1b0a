import type { DriftKind } from './drift-kinds.ts';
import { command } from './engine-fixture.ts';
import type { TestProject } from './pipeline-fixture.ts';

const network = 'trial-prod';

/** What the words of a kind of drift stand for on a host: `WEB` → the name of a container. */
export type Parts = Readonly<Record<string, string>>;

/** The releases whose containers are meant. */
export interface Releases {
  readonly serving: string;
  readonly standby: string;
}

const dockerOn = (project: TestProject, host: string, ...words: string[]) =>
  command('docker', '-H', project.lab.host(host).dockerHost, ...words);

/** Returns what the words of a command stand for on a host now. */
export async function partsOn(project: TestProject, host: string, { serving, standby }: Releases): Promise<Parts> {
  const found = await project.engine(host).listContainers({ all: true, labels: { 'lockage.part': 'release' } });
  const { containers } = (await project.succeed('status', '--env', 'prod')).json.hosts.list.find(
    ({ name }: { name: string }) => name === host,
  );
  const recorded = new Set(containers.map(({ name }: { name: string }) => name));
  const of = (version: string, role: string) =>
    found
      .filter(({ Labels }) => Labels['lockage.release'] === version && Labels['lockage.role'] === role)
      .flatMap(({ Names }) => Names.map((name) => name.slice(1)))
      .filter((name) => recorded.has(name))
      .sort();
  const [web = '', web2 = ''] = of(serving, 'web');
  const [rested = '', rested2 = ''] = of(standby, 'web');
  const all = { WEB: web, 'WEB-2': web2, STANDBY: rested, 'STANDBY-2': rested2 };
  const [worker = '', rest = ''] = [serving, standby].map((version) => of(version, 'worker')[0]);
  const image = await dockerOn(project, host, 'inspect', '--format', '{{.Config.Image}}', web);
  const edge = `${network}-edge`;
  const standing = { EDGE: edge, CACHE: `${network}-cache`, QUEUE: `${network}-queue`, NETWORK: network };
  const edgeImage = await dockerOn(project, host, 'inspect', '--format', '{{.Image}}', edge);
  return { ...all, WORKER: worker, REST: rest, ...standing, IMAGE: image, 'EDGE-IMAGE': edgeImage };
}

/** Does by hand what is said of a kind. Returns the name that it is found under. */
export async function doByHand(project: TestProject, kind: DriftKind, parts: Parts): Promise<string> {
  const { byHand, onHost = [], host = 'prod-1', named } = kind;
  const docker = (...words: string[]) => dockerOn(project, host, ...words);
  for (const line of byHand.filter((each) => each !== '')) {
    const words = line
      .split(' ')
      .map((word) => nameOf(word, parts))
      .map((word) => (word.startsWith('echo>>') ? word.replace('echo', 'echo changed') : word));
    const each = words.includes('ALL')
      ? await docker('ps', '--all', '--filter', `network=${network}`, '--format', '{{.Names}}')
      : 'ALL';
    for (const name of each.split('\n').filter((text) => text !== ''))
      await docker(...words.map((word) => (word === 'ALL' ? name : word)));
  }
  for (const words of onHost) {
    const argv = words.map(async (word) =>
      word.startsWith('PID-OF-') ? docker('inspect', '--format', '{{.State.Pid}}', nameOf(word.slice(7), parts)) : word,
    );
    await project.lab.host(host).exec(await Promise.all(argv));
  }
  return nameOf(named, parts);
}

function nameOf(word: string, parts: Parts): string {
  const found = partIn(word, parts);
  const plain = word.replace(/^OTHER-/, '');
  return found === undefined ? plain : plain.replace(found, parts[found] ?? '');
}

/** Returns the part that a word means, if it means one. */
export function partIn(word: string, parts: Parts): string | undefined {
  const plain = word.replace(/^(OTHER|PID-OF)-/, '');
  return Object.keys(parts).find((each) => plain === each || plain.startsWith(`${each}.`) || plain === `${each}-live`);
}
