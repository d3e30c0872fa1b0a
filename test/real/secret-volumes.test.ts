import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { labsWork, setupTime, TestProject } from '../support/pipeline-fixture.ts';

const hash = (text: string) => createHash('sha256').update(text).digest('hex');
const stranger = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'];

/** Reads its secret as another user than it starts as, and does not live without it. */
const reads =
  "process.setgid('node');process.setuid('node');" +
  "if(require('fs').readFileSync(process.env.DB_FILE,'utf8')==='')process.exit(1);setInterval(()=>{},1e6)";

const roles = {
  web: { port: 8080, publish: 8000, health: { path: '/healthz', timeout: '10s' }, secrets: ['TOKEN'], stop: '2s' },
  worker: { command: ['node', 'web.mjs'], health: { running: '1s' }, secrets: ['TOKEN'], stop: '2s' },
};

let project: TestProject;

async function openProject(names: readonly string[], settings: Record<string, unknown>): Promise<void> {
  const environments = Object.fromEntries(names.map((name) => [name, { hosts: 1, reach: 'unix' as const }]));
  project = await TestProject.open({ environments });
  const image = `${project.lab.registry}/lockage-base/node`;
  const limits = { memory: '128MiB' };
  const db = { image, command: ['node', '-e', reads], secrets: ['DB'], secretsOwner: 'node', limits };
  const secrets = { TOKEN: { env: 'TOKEN' }, DB: { env: 'DB' } };
  await project.configure({ roles, secrets, accessories: { db }, ...settings });
  project.env['DB'] = 'the password';
  await project.publish({ '1.0.0': {}, '1.1.0': {} });
}

async function promote(version: string, environment: string): Promise<void> {
  project.env['TOKEN'] = `token of ${version}`;
  await project.succeed('promote', version, '--to', environment);
}

async function expectServed(version: string, environment: string): Promise<void> {
  expect(await project.answers(environment)).toMatchObject([{ version, secretHash: hash(`token of ${version}`) }]);
}

/** Asks until the host serves again, as nobody tells it to. */
async function servesAgain(version: string, environment: string): Promise<void> {
  for (const end = Date.now() + 120_000; ; await sleep(500)) {
    const [answer] = await project.answers(environment).catch(() => []);
    if (answer?.version === version) return expectServed(version, environment);
    if (Date.now() > end) throw new Error(`${environment} does not serve ${version}`);
  }
}

/** `web 1.1.0 running`, `db running` */
async function containersOf(environment: string): Promise<string[]> {
  const found = await project.engine(`${environment}-1`).listContainers({ all: true });
  return found
    .filter(({ Labels }) => ['release', 'accessory'].includes(Labels['lockage.part'] ?? ''))
    .map(({ Labels, State }) => [Labels['lockage.role'], Labels['lockage.release'], State].filter(Boolean).join(' '))
    .sort();
}

async function secretVolumes(environment: string): Promise<string[]> {
  const volumes = await project.engine(`${environment}-1`).listVolumes({});
  return volumes.map(({ Name }) => Name).filter((name) => name.endsWith('.secrets'));
}

/** What another account of the host could read of the engine's volumes, were their folder open to everybody. */
async function readable(environment: string): Promise<string[]> {
  const host = project.lab.host(`${environment}-1`);
  const { DockerRootDir: root } = await project.engine(host.name).info();
  for (let folder = root; folder !== '/tmp'; folder = dirname(folder)) await host.exec(['chmod', 'o+rx', folder]);
  await host.exec(['sh', '-c', 'chmod o+rx "$1"/volumes "$1"/volumes/*', 'sh', root]);
  const found = await host.exec([
    'sh',
    '-c',
    '"$@" 2>/dev/null; true',
    'sh',
    ...stranger,
    'find',
    `${root}/volumes`,
    '-type',
    'f',
    '-readable',
  ]);
  return found.split('\n').filter((line) => line !== '');
}

async function expectClosed(environment: string): Promise<void> {
  const files = await readable(environment);
  // It does get that far: the routes are nobody's secret.
  expect(files.some((file) => file.includes('live'))).toBe(true);
  expect(files.filter((file) => file.includes('.secrets'))).toEqual([]);
  const doctor = await project.run('doctor', '--env', environment, '--json');
  const checks = doctor.json.checks.filter(({ text }: any) => text.startsWith('secrets of '));
  const volumes = (await secretVolumes(environment)).length;
  expect(checks).toMatchObject([{ level: 'good', text: expect.stringContaining(`secrets of ${volumes} containers`) }]);
}

/** What runs on the one host after a release other than the other. */
const expected = (serving: string, standby: string) =>
  [
    'db running',
    `web ${serving} running`,
    `web ${standby} running`,
    `worker ${serving} running`,
    `worker ${standby} exited`,
  ].sort();

async function standbyOf(environment: string, version: string): Promise<Record<string, string>> {
  const labels = { 'lockage.release': version };
  const found = await project.engine(`${environment}-1`).listContainers({ all: true, labels });
  return Object.fromEntries(found.map(({ Id, Labels }) => [Labels['lockage.role'] ?? '', Id]));
}

// The tests of each part are one story: each goes on where the one before ended.
describe.runIf(labsWork)('secrets on a host’s disk', () => {
  /** the nameless volume of a container that Docker itself pruned, which keeps it */
  let left: string[] = [];

  beforeAll(async () => {
    await openProject(['prod'], {});
    await promote('1.0.0', 'prod');
    await promote('1.1.0', 'prod');
  }, setupTime);

  afterAll(async () => project?.remove());

  test('are for root and their container only', async () => {
    await expectServed('1.1.0', 'prod');
    expect(await containersOf('prod')).toEqual(expected('1.1.0', '1.0.0'));
    expect((await secretVolumes('prod')).length).toBe(5);
    await expectClosed('prod');
    const edge = await project.engine('prod-1').inspectContainer('trial-prod-edge');
    expect(edge?.Mounts.map(({ Destination }) => Destination)).toEqual(['/live']);
  });

  test('come back with a standby that was pruned, when a rollback needs it', async () => {
    const worker = await project.engine('prod-1').inspectContainer((await standbyOf('prod', '1.0.0'))['worker'] ?? '');
    left = worker?.Mounts.map(({ Name = '' }) => Name).filter((name) => /^[0-9a-f]{64}$/.test(name)) ?? [];
    expect(left).toHaveLength(1);
    await project.lab.host('prod-1').exec(['docker', 'container', 'prune', '--force']);
    expect(await containersOf('prod')).not.toContain('worker 1.0.0 exited');
    const back = await project.rollback('prod');
    expect([back.code, back.json?.outcome], back.stderr).toEqual([0, 'rolled back']);
    await expectServed('1.0.0', 'prod');
    expect(await containersOf('prod')).toEqual(expected('1.0.0', '1.1.0'));
  });

  test.each<[string, (container: string) => Promise<unknown>]>([
    ['removed', (id) => project.engine('prod-1').removeContainer(id, { force: true })],
    ['stopped', (id) => project.engine('prod-1').stopContainer(id, 2000)],
    [
      'removed with its secrets',
      async (id) => {
        const name = (await project.engine('prod-1').inspectContainer(id))?.Name.slice(1) ?? '';
        await project.engine('prod-1').removeContainer(id, { force: true });
        await project.engine('prod-1').removeVolume(`${name}.secrets`);
      },
    ],
  ])('come back with a standby that was %s', async (_, harm) => {
    await project.succeed('resume', 'prod');
    await promote('1.1.0', 'prod');
    await harm((await standbyOf('prod', '1.0.0'))['web'] ?? '');
    // What the operator has today is not what that release had.
    project.env['TOKEN'] = 'another one';
    const back = await project.rollback('prod', '--to', '1.0.0');
    expect([back.code, back.json?.outcome], back.stderr).toEqual([0, 'rolled back']);
    await expectServed('1.0.0', 'prod');
    expect(await containersOf('prod')).toEqual(expected('1.0.0', '1.1.0'));
    expect((await secretVolumes('prod')).length).toBe(5);
  });

  test('are closed after a repair, and what a killed command left is gone', async () => {
    const engine = project.engine('prod-1');
    const labels = { 'lockage.app': 'trial', 'lockage.environment': 'prod', 'lockage.part': 'release-secrets' };
    await engine.createVolume('trial-prod-gone-1.secrets', { Labels: labels });
    const image = (await engine.inspectContainer('trial-prod-edge'))?.Image ?? '';
    await engine.createContainer('trial-prod-gone-1.secrets.filler', { Image: image, Labels: labels });
    await project.succeed('resume', 'prod');
    await engine.removeContainer((await standbyOf('prod', '1.0.0'))['web'] ?? '', { force: true });
    await promote('1.0.0', 'prod');
    await expectServed('1.0.0', 'prod');
    expect(await secretVolumes('prod')).not.toContain('trial-prod-gone-1.secrets');
    expect(await engine.inspectContainer('trial-prod-gone-1.secrets.filler')).toBeUndefined();
    await expectClosed('prod');
  });

  test('are found as drift when somebody opens or adds files', async () => {
    const drift = async () => (await project.run('drift', 'prod', '--json')).json.environments[0].hosts[0].drift;
    const others = (found: any[]) => found.filter(({ member }) => member === 'secrets');
    expect(others(await drift())).toEqual([]);
    const [volume = ''] = (await secretVolumes('prod')).filter((name) => name.includes('-web-'));
    const folder = (await project.engine('prod-1').inspectVolume(volume))?.Mountpoint ?? '';
    const host = project.lab.host('prod-1');
    await host.exec(['sh', '-c', `chmod 644 ${folder}/TOKEN && echo x > ${folder}/left && chmod 400 ${folder}/left`]);
    const found = others(await drift());
    expect(new Set(found.map(({ what }) => `${what}.secrets`))).toEqual(new Set([volume]));
    expect(found.map(({ actual }) => actual)).toEqual(
      expect.arrayContaining(['secrets/TOKEN is open to others (644)', 'left is not of this release']),
    );
    await host.exec(['sh', '-c', `chmod 400 ${folder}/TOKEN && rm ${folder}/left`]);
    expect(others(await drift())).toEqual([]);
  });

  test('stay where a pruning removes the nameless volume that Docker’s own prune has left', async () => {
    const volumes = async () => (await project.snapshot('prod'))['prod-1']?.volumes ?? [];
    const before = await volumes();
    const { json: drift } = await project.run('drift', 'prod', '--json');
    expect(drift.environments[0].hosts[0].drift).toEqual([
      expect.objectContaining({ what: left[0], member: 'volume' }),
    ]);
    const planned = await project.succeed('prune', 'prod', '--plan');
    const gone = { place: 'prod-1', kind: 'volume', id: left[0], kept: false };
    expect(planned.json.things.filter(({ kept }: any) => !kept)).toMatchObject([gone]);
    expect(await volumes()).toEqual(before);
    const { code, json } = await project.run('prune', 'prod', '--yes', '--json');
    expect([code, json.outcome, json.failed]).toEqual([0, 'pruned', []]);
    expect(
      json.things.filter(({ kind }: any) => kind === 'image').map(({ name, reason }: any) => [name, reason]),
    ).toEqual(
      expect.arrayContaining([
        ['1.0.0', 'it serves in prod'],
        ['1.1.0', 'it is a standby in prod'],
      ]),
    );
    expect(await volumes()).toEqual(before.filter((name) => name !== left[0]));
    await expectServed('1.0.0', 'prod');
  });

  test('are closed after the engine was restarted', async () => {
    await project.lab.host('prod-1').stopDocker();
    await project.lab.host('prod-1').startDocker();
    await servesAgain('1.0.0', 'prod');
    await expectClosed('prod');
  });

  test('are there after the engine was killed: what it served serves again, and what rests rests', async () => {
    const before = await containersOf('prod');
    await project.lab.host('prod-1').stopDocker({ crash: true });
    await project.lab.host('prod-1').startDocker();
    await servesAgain('1.0.0', 'prod');
    await expect.poll(() => containersOf('prod'), { timeout: 60_000 }).toEqual(before);
    expect((await project.succeed('status', '--env', 'prod')).json.problems).toEqual([]);
    expect((await project.run('drift', 'prod', '--json')).code).toBe(0);
  });

  test('are there after a power cut: everything serves again, and nobody did anything', async () => {
    await promote('1.1.0', 'prod');
    const before = await containersOf('prod');
    expect(before).toEqual(expected('1.1.0', '1.0.0'));
    await project.lab.host('prod-1').cutPower();
    await project.lab.host('prod-1').startDocker();
    await servesAgain('1.1.0', 'prod');
    await expect.poll(() => containersOf('prod'), { timeout: 60_000 }).toEqual(before);
    expect((await project.succeed('status', '--env', 'prod')).json.problems).toEqual([]);
    await expectClosed('prod');
  });

  test('are there for a rollback after a power cut', async () => {
    const back = await project.rollback('prod');
    expect(back.code, back.stderr).toBe(0);
    await expectServed('1.0.0', 'prod');
    expect(await containersOf('prod')).toEqual(expected('1.0.0', '1.1.0'));
  });

  test('that an earlier version left are named, with what helps', async () => {
    const host = project.lab.host('prod-1');
    const folder = '/run/lockage/trial/prod';
    await host.exec(['sh', '-c', `mkdir -p ${folder}/trial-prod-web-1 && echo old > ${folder}/trial-prod-web-1/TOKEN`]);
    const { code, json, stdout } = await project.run('doctor', '--env', 'prod', '--json');
    const found = json.checks.find(({ text }: any) => text.includes(folder));
    expect([code, found]).toMatchObject([2, { level: 'bad', details: ['trial-prod-web-1/TOKEN'] }]);
    expect(stdout).not.toContain('old\\n');
    await host.exec(['rm', '-r', '/run/lockage']);
  });

  test('go with their containers, as do the volumes that nobody named', async () => {
    await project.succeed('destroy', 'prod');
    expect((await project.snapshot('prod'))['prod-1']).toMatchObject({ containers: [], volumes: [] });
  });
});

describe.runIf(labsWork)('secrets in a host’s memory', () => {
  beforeAll(async () => {
    await openProject(['mem'], { secretsAt: 'memory' });
    await promote('1.0.0', 'mem');
    await promote('1.1.0', 'mem');
  }, setupTime);

  afterAll(async () => project?.remove());

  test('are for root and their container only, and never on its disk', async () => {
    await expectServed('1.1.0', 'mem');
    await expectClosed('mem');
    const { DockerRootDir: root } = await project.engine('mem-1').info();
    const folders = (await secretVolumes('mem')).map((volume) => `${root}/volumes/${volume}/_data`);
    const types = await project.lab.host('mem-1').exec(['stat', '-f', '-c', '%T', ...folders]);
    expect(new Set(types.trim().split('\n'))).toEqual(new Set(['tmpfs']));
  });

  test('outlive a container that ends and is started again', async () => {
    const { web = '' } = await standbyOf('mem', '1.1.0');
    await project
      .engine('mem-1')
      .exec(web, ['node', '-e', 'process.kill(1)'])
      .catch(() => undefined);
    await project.engine('mem-1').stopContainer(web, 2000);
    await project.engine('mem-1').startContainer(web);
    await servesAgain('1.1.0', 'mem');
  });

  test('are gone after a power cut, which status says, and the same promotion brings them back', async () => {
    await project.lab.host('mem-1').cutPower();
    await project.lab.host('mem-1').startDocker();
    const problems = async () => (await project.run('status', '--env', 'mem', '--json')).json.problems.join();
    // An engine that begins anew may be too busy to answer the first time.
    await expect.poll(problems, { timeout: 60_000, interval: 500 }).toContain('.secrets is empty since a restart');
    await promote('1.1.0', 'mem');
    await expectServed('1.1.0', 'mem');
    await expect.poll(() => containersOf('mem'), { timeout: 60_000 }).toContain('db running');
    const back = await project.rollback('mem');
    expect(back.code, back.stderr).toBe(0);
    await expectServed('1.0.0', 'mem');
    await expectClosed('mem');
  });

  test('go with their containers', async () => {
    await project.succeed('destroy', 'mem');
    const { 'mem-1': left } = await project.snapshot('mem');
    expect(left).toMatchObject({ containers: [], volumes: [] });
  });
});
