import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pulumiHome, requirePulumi } from '../../infra/pulumi/find-pulumi.ts';
import { toolVersions } from '../../infra/system/tool-versions.ts';
import { digestOf, testImage } from '../infra/registry/values.ts';
import { command } from '../support/engine-fixture.ts';
import { TestRegistry } from '../support/registry-fixture.ts';

/** A number that no user of a computer has. */
const nobody = 54_321;
const image = testImage('a layer');

let registry: TestRegistry;
let folder: string;
let runs = 0;

interface Computer {
  readonly uid?: number;
  readonly variables?: Readonly<Record<string, string>>;
  /** name of the project's folder */
  readonly name?: string;
  /** a POSIX shell line before the program, as `ulimit -n 64` */
  readonly first?: string;
  /** nobody but root may write there */
  readonly sharedCache?: boolean;
}

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly project: string;
}

/** Runs the command line on a computer like that, in a new project, or in one that is there. */
async function run(computer: Computer, argv: readonly string[], there?: string): Promise<Outcome> {
  const { uid = 0, variables = {}, name = 'project', first = ':', sharedCache = false } = computer;
  const project = there ?? (await newProject(name));
  await command('chown', '-R', String(uid), project);
  const cache = sharedCache ? join(folder, 'shared') : join(dirname(project), 'cache');
  if (!sharedCache) {
    await mkdir(join(cache, 'pulumi-home'), { recursive: true });
    await cp(join(folder, 'shared', 'pulumi-home'), join(cache, 'pulumi-home'), { recursive: true });
    await mkdir(join(cache, 'bin', `pulumi-${toolVersions.pulumi}`), { recursive: true });
    await command('chown', '-R', String(uid), cache);
  }
  // The program and Pulumi may lie where only their owner comes.
  const { path: pulumi } = await requirePulumi();
  const place = join(cache, 'bin', `pulumi-${toolVersions.pulumi}`);
  const clone = resolve(import.meta.dirname, '../..');
  const script = ['mount --bind "$1" "$2"; mount --bind "$3" "$4"; cd "$5"; shift 5', `${first}; exec "$@"`].join('; ');
  const given = { PATH: '/usr/bin:/bin:/usr/sbin', LOCKAGE_CACHE: cache, ...variables };
  const pairs = Object.entries(given).map(([key, value]) => `${key}=${value}`);
  const as = uid === 0 ? [] : ['setpriv', '--reuid', String(uid), '--regid', String(uid), '--clear-groups'];
  const program = [process.execPath, join(folder, 'clone', 'dist', 'lockage.mjs'), ...argv];
  const words = ['-m', 'sh', '-c', script, 'computer', clone, join(folder, 'clone'), dirname(pulumi), place, project];
  return new Promise((done) => {
    const child = spawn('unshare', [...words, ...as, 'env', '-i', ...pairs, ...program], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const out = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr'] as const) child[stream].on('data', (data) => (out[stream] += data));
    child.on('close', (code) => done({ code, ...out, project }));
  });
}

async function newProject(name: string): Promise<string> {
  const project = join(folder, `run${runs++}`, name);
  await mkdir(join(project, 'environments'), { recursive: true });
  const lines = [
    'app: shop',
    `repository: ${registry.address}/shop`,
    'pipeline: [dev]',
    'roles: { web: { port: 80 } }',
    '',
  ];
  await writeFile(join(project, 'lockage.yaml'), lines.join('\n'));
  await writeFile(join(project, 'environments', 'dev.yaml'), 'targets: [ssh://nobody@127.0.0.1:9]\n');
  return project;
}

async function put(path: string, body: Buffer, type: string): Promise<void> {
  const answer = await fetch(`http://${registry.address}${path}`, {
    method: 'PUT',
    body,
    headers: { 'Content-Type': type },
  });
  expect(answer.status).toBe(201);
}

async function pushImage(): Promise<void> {
  for (const [digest, bytes] of image.blobs) {
    if (digest === image.digest) continue;
    const begun = await fetch(`http://${registry.address}/v2/shop/blobs/uploads/`, { method: 'POST' });
    const { pathname, search } = new URL(begun.headers.get('location') ?? '', `http://${registry.address}`);
    await put(`${pathname}${search}&digest=${digestOf(bytes)}`, bytes, 'application/octet-stream');
  }
  await put('/v2/shop/manifests/build', image.manifest, 'application/vnd.oci.image.manifest.v1+json');
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockage-computers-'));
  await command('chmod', '755', folder);
  await mkdir(join(folder, 'clone'));
  registry = await TestRegistry.start();
  await pushImage();
  const home = join(folder, 'shared', 'pulumi-home');
  await mkdir(join(folder, 'shared', 'bin', `pulumi-${toolVersions.pulumi}`), { recursive: true });
  await cp(join(pulumiHome(), 'plugins'), join(home, 'plugins'), { recursive: true });
  await command('chmod', '-R', 'a+rX', join(folder, 'shared'));
});

afterAll(async () => {
  await registry.stop();
  await rm(folder, { recursive: true, force: true });
  await rm(`/tmp/lockage-pulumi-${nobody}`, { recursive: true, force: true });
  await rm(`/tmp/lockage-${nobody}`, { recursive: true, force: true });
});

const dead = 'http://127.0.0.1:9';

describe('a release is made', () => {
  test.each<readonly [string, Computer]>([
    ['by a user that passwd does not know', { uid: nobody }],
    ['by such a user in a container, whose HOME is /', { uid: nobody, variables: { HOME: '/' } }],
    ["with another user's HOME", { uid: nobody, variables: { HOME: '/root' } }],
    ['with a HOME that is not there', { uid: nobody, variables: { HOME: '/absent/home', USER: 'x' } }],
    ['with a cache that another user set up for all', { uid: nobody, sharedCache: true }],
    ["with another user's runtime folder", { uid: nobody, variables: { XDG_RUNTIME_DIR: '/run/user/0' } }],
    ['with a runtime folder too long for sockets', { variables: { XDG_RUNTIME_DIR: `/tmp/${'q'.repeat(120)}` } }],
    ['with no folder at TMPDIR', { variables: { TMPDIR: '/absent/tmp' } }],
    [
      'with web proxies that lead nowhere',
      { variables: { HTTP_PROXY: dead, HTTPS_PROXY: dead, http_proxy: dead, https_proxy: dead } },
    ],
    [
      'in an odd language, time zone and terminal',
      { variables: { LC_ALL: 'tr_TR.UTF-8', TZ: 'Odd/Zone', TERM: 'dumb', COLUMNS: '1' } },
    ],
    ['with few files and an open umask', { first: 'ulimit -n 64; umask 000' }],
    ['in a folder called a "b\'', { name: `a "b'` }],
    ['in a folder called 100%#?', { name: '100%#?' }],
    ['in a folder with a line break and a long name', { name: `größe\n$HOME;${'x'.repeat(180)}` }],
  ])('%s', async (_what, computer) => {
    const made = await run(computer, ['release', '1.0.0', '--image', `${registry.address}/shop:build`]);
    expect(made).toMatchObject({ code: 0, stdout: expect.stringContaining('1.0.0 released') });
    const { code, stdout } = await run(computer, ['releases', '--json'], made.project);
    expect([code, JSON.parse(stdout)]).toMatchObject([0, expect.anything()]);
    expect(stdout).toContain(image.digest);
    // Everything is in the project, for its user alone.
    expect(await readdir(dirname(made.project))).toEqual(
      computer.sharedCache ? [basename(made.project)] : expect.arrayContaining(['cache', basename(made.project)]),
    );
    expect((await stat(join(made.project, '.lockage'))).mode & 0o077).toBe(0);
  });
});

describe('what the computer does not allow is no bug, and says what helps:', () => {
  test.each<readonly [string, string, readonly string[], RegExp]>([
    [
      'a full disk',
      'mount -t tmpfs -o size=64k tmpfs .; cp -r "$OLD"/. .; dd if=/dev/zero of=fill bs=1k',
      ['init', '--force'],
      /ENOSPC|no space/,
    ],
    [
      'a project that may not be written',
      'mount --bind . .; mount -o remount,ro,bind .; cd "$PWD"',
      ['release', '1.0.0', '--image', 'IMAGE'],
      /read-only|readable and writable/,
    ],
    ['a folder of nobody', 'chmod 000 environments; chown 1 environments', ['status'], /environments/],
  ])('%s', async (_what, first, argv, words) => {
    const project = await newProject('project');
    await cp(project, `${project}-copy`, { recursive: true });
    const asked = argv.map((word) => (word === 'IMAGE' ? `${registry.address}/shop:build` : word));
    const uid = first.startsWith('chmod') ? nobody : 0;
    const prepared = `export OLD='${project}-copy'; { ${first}; } >/dev/null 2>&1; cd "$PWD"`;
    const { code, stderr } = await run({ uid, first: prepared }, asked, project);
    expect(stderr).toMatch(words);
    expect(stderr).not.toMatch(/bug of Lockage|node:internal/);
    expect([2, 3, 4]).toContain(code);
  });
});

test('a reader that goes away, and a closed output, end nothing half-way', async () => {
  const { project } = await run({}, ['release', '1.0.0', '--image', `${registry.address}/shop:build`]);
  for (const first of ['exec 1>&-', 'exec 2>&-', 'exec 0<&-', 'exec 1>/dev/full'])
    expect((await run({ first }, ['releases'], project)).code).toBe(0);
});
