/**
 * The project folder of the demo, as a team would have it: the sample application, lockage.yaml and a file for each
 * environment, in a git repository of its own.
 */
import { randomBytes } from 'node:crypto';
import { chmod, cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseDocument, stringify } from 'yaml';
import { packageRoot } from '../tools/cache.ts';
import { run } from '../tools/command.ts';
import { folders, hostsOf, publicPort, type Stage } from './stage.ts';
import { environmentNames, type EnvironmentName } from './targets.ts';

/** The time a release is watched after the switch; in prod it is longer than a crash of the demo takes to come. */
const watch: Readonly<Record<EnvironmentName, string>> = { dev: '2s', qa: '2s', uat: '2s', prod: '8s' };
const passwordFile = 'secrets/db-password';

/** The faults of a build of the shop, see the sample's behaviour.mjs. */
export interface Behaviour {
  readonly unhealthy?: boolean;
  readonly unhealthyOn?: string;
  readonly crashAfterMs?: number;
  readonly crashIn?: string;
}

/** Writes the project folder and its first commit. */
export async function writeProject(stage: Stage): Promise<void> {
  const { project } = folders();
  const sample = path.join(packageRoot(), 'environments', 'sample');
  const notInstalled = (source: string) => path.basename(source) !== 'node_modules';
  await cp(path.join(sample, 'app'), path.join(project, 'app'), { recursive: true, filter: notInstalled });
  await writeFile(
    path.join(project, 'lockage.yaml'),
    configuration(stage, await readFile(path.join(sample, 'lockage.yaml'), 'utf8')),
  );
  await cp(path.join(sample, 'seed.sql'), path.join(project, 'seed.sql'));
  await mkdir(path.join(project, 'environments'));
  for (const name of environmentNames) {
    await writeFile(path.join(project, 'environments', `${name}.yaml`), environmentFile(stage, name));
  }
  // A release is built from its commit, and this one without a network: what it depends on is committed.
  await writeFile(path.join(project, '.gitignore'), '.lockage/\nsecrets/\n/lockage\n');
  await mkdir(path.join(project, path.dirname(passwordFile)), { mode: 0o700 });
  await writeFile(path.join(project, passwordFile), randomBytes(12).toString('hex'), { mode: 0o600 });
  await writeWrapper(stage);
  await installPackages();
  await git('init', '--quiet');
}

/** Changes the shop's code to a new version that behaves like this, and commits it. */
export async function commitVersion(version: string, behaviour: Behaviour = {}): Promise<void> {
  const file = path.join(folders().project, 'app', 'behaviour.json');
  await writeFile(file, `${JSON.stringify({ version, ...behaviour })}\n`);
  await git('add', '--all');
  const author = ['-c', 'user.name=Lockage demo', '-c', 'user.email=demo@localhost', '-c', 'commit.gpgsign=false'];
  await git(...author, 'commit', '--quiet', '--message', `Shop ${version}`);
}

/** Returns the sample's own configuration, with this lab's registry and images. */
function configuration({ app, registry, images }: Stage, sample: string): string {
  const document = parseDocument(sample.replace(/^# yaml-language-server:.*\n/, ''));
  document.set('app', app);
  document.set('repository', `${registry}/shop`);
  document.set('insecureRegistries', [registry]);
  document.setIn(['build', 'args'], { BASE: images.node });
  document.set('edge', { image: images.edge });
  document.setIn(['accessories', 'db', 'image'], images.postgres);
  // A release that is never healthy shows it sooner this way.
  document.setIn(['roles', 'web', 'health', 'timeout'], '10s');
  document.setIn(['secrets', 'DB_PASSWORD'], { file: passwordFile });
  return document.toString({ lineWidth: 0 });
}

function environmentFile(stage: Stage, name: EnvironmentName): string {
  const hosts = hostsOf(stage, name);
  const publish = hosts[0]?.publish ?? publicPort;
  // On a swarm this is the number over all nodes.
  const count = hosts.some(({ isNode }) => isNode) ? { count: hosts.length } : {};
  const web = { publish, ...count };
  // An emulated processor needs half a minute to start a service, and as long for the command that checks the worker.
  const roles =
    stage.machines[name]?.kind === 'vm'
      ? { web: { ...web, health: { timeout: '2m' } }, worker: { health: { timeout: '3m' } } }
      : { web };
  return stringify({ targets: targetsOf(stage, name), roles, watch: watch[name] });
}

/** Returns the configuration of the demo's kind of targets: the rest of an environment follows from it. */
export function targetsOf(stage: Stage, name: EnvironmentName): object {
  const hosts = hostsOf(stage, name);
  const list = hosts.map(({ target }) => target);
  return stage.machines[name] ?? (hosts.some(({ isNode }) => isNode) ? { kind: 'swarm', managers: list } : list);
}

// Users need no such wrapper: here the tool is not installed, and releases are built on the lab's builder.
async function writeWrapper({ builder }: Stage): Promise<void> {
  const file = path.join(folders().project, 'lockage');
  const words = [process.execPath, lockageProgram()].map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`);
  await writeFile(file, `#!/bin/sh\nDOCKER_HOST='${builder.docker}' exec ${words.join(' ')} "$@"\n`);
  await chmod(file, 0o755);
}

/** Returns the path of this clone's command line. */
export function lockageProgram(): string {
  return path.join(packageRoot(), 'dist', 'lockage.mjs');
}

async function installPackages(): Promise<void> {
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const app = path.join(folders().project, 'app');
  await run(['npm', '--prefix', app, 'ci', '--prefer-offline', ...quiet], { timeout: 180_000 });
}

async function git(...words: string[]): Promise<void> {
  await run(['git', '-C', folders().project, ...words]);
}
