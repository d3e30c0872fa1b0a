/** The sample shop on a computer of its own, with a release whose database is baked and forked there. */
import type { ChildProcess } from 'node:child_process';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseDocument } from 'yaml';
import { Engine } from '../../infra/docker/api/client.ts';
import type { BareHost, LabEnvironment } from '../../scripts/lab/lab.ts';
import { packageRoot } from '../../scripts/tools/cache.ts';
import { Desk } from './desk.ts';
import { command } from './engine-fixture.ts';

/** A fork as `lockage db fork --json` prints it. */
export interface PrintedFork {
  readonly name: string;
  readonly url: string;
  readonly password: string;
  readonly port: number;
}

export interface Forking {
  readonly child: ChildProcess;
  readonly forks: readonly PrintedFork[];
}

export class DatabaseShop {
  readonly desk: Desk;
  readonly folder: string;
  readonly engine: Engine;
  readonly #children = new Set<ChildProcess>();

  private constructor(desk: Desk, folder: string) {
    this.desk = desk;
    this.folder = folder;
    this.engine = engineOf(desk.host);
  }

  /** `others`: further hosts of its lab. */
  static async open(others: Readonly<Record<string, LabEnvironment>> = {}): Promise<DatabaseShop> {
    const desk = await Desk.open(others, { seed: ['edge', 'node', 'postgres'] });
    try {
      const sample = join(packageRoot(), 'environments/sample');
      const folder = await desk.folder('shop');
      const shop = new DatabaseShop(desk, folder);
      const filter = (source: string) => basename(source) !== 'node_modules';
      await cp(join(sample, 'app'), join(folder, 'app'), { recursive: true, filter });
      await cp(join(sample, 'seed.sql'), join(folder, 'seed.sql'));
      await mkdir(join(folder, 'environments'));
      await writeFile(join(folder, 'environments/dev.yaml'), JSON.stringify({ targets: [desk.host.dockerHost] }));
      await writeFile(join(folder, '.gitignore'), '.lockage/\n');
      await shop.configure(() => undefined);
      await command(
        'npm',
        '--prefix',
        join(folder, 'app'),
        'ci',
        '--prefer-offline',
        '--ignore-scripts',
        '--no-audit',
        '--silent',
      );
      await desk.commit(folder, 'shop');
      await desk.succeed(folder, 'release', '1.0.0');
      return shop;
    } catch (error) {
      await desk.remove();
      throw error;
    }
  }

  /** Writes the sample's configuration with this lab's registry and images, and what `change` makes of it. */
  async configure(change: (document: ReturnType<typeof parseDocument>) => void): Promise<void> {
    const { registry } = this.desk.lab;
    const document = parseDocument(await readFile(join(packageRoot(), 'environments/sample/lockage.yaml'), 'utf8'));
    document.set('pipeline', ['dev']);
    document.set('repository', `${registry}/shop`);
    document.set('insecureRegistries', [registry]);
    document.setIn(['build', 'args'], { BASE: `${registry}/lockage-base/node` });
    document.set('edge', { image: `${registry}/lockage-base/edge` });
    document.setIn(['accessories', 'db', 'image'], `${registry}/lockage-base/postgres`);
    change(document);
    await writeFile(join(this.folder, 'lockage.yaml'), document.toString({ lineWidth: 0 }));
  }

  run(...words: string[]) {
    return this.desk.run(this.folder, words);
  }

  succeed(...words: string[]): Promise<any> {
    return this.desk.succeed(this.folder, ...words);
  }

  /** Starts `lockage db fork`, and resolves once it has printed its forks. `through`: who calls it. */
  async fork(count: number, through: readonly string[] = [], named: readonly string[] = []): Promise<Forking> {
    const words = [...this.desk.program, 'db', 'fork', ...named, '--count', String(count), '--json'];
    const child = this.start([...through, ...words]);
    let [stdout, stderr] = ['', ''];
    child.stdout?.on('data', (data: Buffer) => (stdout += data.toString()));
    child.stderr?.on('data', (data: Buffer) => (stderr += data.toString()));
    for (;;) {
      const forks = forksIn(stdout);
      if (forks) return { child, forks };
      if (child.exitCode !== null) throw new Error(`lockage db fork ended with ${child.exitCode}:\n${stderr}`);
      await sleep(20);
    }
  }

  start(argv: readonly string[]): ChildProcess {
    const child = this.desk.start(this.folder, argv);
    this.#children.add(child);
    return child;
  }

  /** Asks a database by its URL, over TCP from this computer's own network. */
  async sql(url: string, statement: string): Promise<string> {
    const image = this.desk.lab.images.postgres ?? '';
    const words = ['run', '--rm', '--network', 'host', '--entrypoint', 'psql', image, url, '-AtXqc', statement];
    return (await this.desk.docker(...words)).trim();
  }

  /** Returns all that there is of databases on an engine: what commands made for themselves. */
  async left(engine = this.engine): Promise<string[]> {
    const label = 'lockage.owner';
    const containers = await engine.listContainers({ all: true, labels: { [label]: '' } });
    const networks = (await engine.listNetworks({})).filter((name) => /^lockage-(forks|bake)-/.test(name));
    const volumes = (await engine.listVolumes({})).map(({ Name }) => Name);
    return [...containers.map(({ Names, Id }) => Names[0] ?? Id), ...networks, ...volumes];
  }

  /** Resolves when nothing of databases is left. */
  async gone(timeout = 60_000): Promise<void> {
    for (const end = performance.now() + timeout; (await this.left()).length > 0;) {
      if (performance.now() > end) throw new Error(`left after ${timeout / 1000} s: ${(await this.left()).join(', ')}`);
      await sleep(200);
    }
  }

  async remove(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    this.engine.close();
    await this.desk.remove();
  }
}

export function engineOf({ name, dockerHost }: BareHost): Engine {
  return new Engine({ host: name, socketPath: dockerHost.replace('unix://', '') });
}

function forksIn(stdout: string): readonly PrintedFork[] | undefined {
  try {
    return (JSON.parse(stdout) as { forks: readonly PrintedFork[] }).forks;
  } catch {
    return undefined;
  }
}
