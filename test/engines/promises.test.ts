import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toolVersions } from '../../infra/system/tool-versions.ts';
import { labsWork, setupTime, TestProject, type Snapshot } from '../support/pipeline-fixture.ts';
import { nothingIsLeft, promisesHold, storyReleases } from '../support/story.ts';

/** Milliseconds for everything on engines that unpack an image for themselves. */
const timeout = 240_000;

/** Each is an environment of the same pipeline on the newer engine, behind one whose host has it, too. */
const kinds = {
  unix: { hosts: 1, reach: 'unix' },
  // The first releases of 29 refused everything older than that.
  strict: { hosts: 2, reach: 'ssh', oldestApi: '1.44' },
  swarm: { hosts: 3, reach: 'unix', managers: 3 },
} as const;
const names = Object.keys(kinds) as (keyof typeof kinds)[];

/** Those with several containers behind one edge. */
const several: Readonly<Record<string, number>> = { unix: 3, swarm: 3 };

const smoke = 'busybox wget -q -O - "$LOCKAGE_URL" | busybox grep -F "\\"version\\":\\"$LOCKAGE_VERSION\\""';

describe.runIf(labsWork)('on Docker Engine 29, the same promises hold', () => {
  let project: TestProject;

  beforeAll(async () => {
    const newer = Object.entries(kinds).map(([name, kind]) => [name, { ...kind, engine: '29' }] as const);
    project = await TestProject.open({
      app: 'small-app',
      environments: { dev: { hosts: 1, reach: 'unix', engine: '29' }, ...Object.fromEntries(newer) },
    });
    const health = { path: '/healthz', timeout: '10s' };
    const standing = { command: ['sleep', '86400'], init: true, host: 'strict-1' };
    const cache = { ...standing, image: `${project.lab.registry}/lockage-base/edge` };
    await project.configure({
      pipeline: ['dev', ...names.map((name) => ({ name, after: ['dev'] }))],
      roles: {
        web: {
          port: 8080,
          publish: 8000,
          health,
          stop: '2s',
          secrets: ['TOKEN'],
          hardening: { tmpfs: { '/run': '1MiB' } },
        },
      },
      secrets: { TOKEN: { env: 'TOKEN' } },
      verification: [{ name: 'smoke', command: ['busybox', 'sh', '-c', smoke] }],
    });
    project.env['TOKEN'] = 'a token that nobody sees';
    for (const name of Object.keys(several)) {
      await project.configureEnvironment(name, { roles: { web: { count: several[name] } } });
    }
    const accessories = { cache: { ...cache, volumes: { data: '/data' } } };
    await project.configureEnvironment('strict', { accessories });
    await project.publish(storyReleases);
    for (const version of Object.keys(storyReleases)) await project.succeed('promote', version, '--to', 'dev');
  }, setupTime);

  afterAll(async () => project?.remove(), timeout);

  test('its hosts run that engine, with the store of containerd', async () => {
    for (const { name } of project.lab.hosts) {
      const engine = project.engine(name);
      const [{ Version, MinAPIVersion }, info] = await Promise.all([engine.version(), engine.info()]);
      expect([Version, MinAPIVersion]).toEqual([toolVersions.engine, name.startsWith('strict') ? '1.44' : '1.40']);
      expect(JSON.stringify(info.DriverStatus)).toContain('io.containerd.snapshotter');
    }
    const { code, json, stderr } = await project.run('doctor', 'strict', '--json');
    expect(code, stderr).toBe(0);
    expect(json.checks.filter(({ level }: { level: string }) => level === 'bad')).toEqual([]);
  });

  describe.each(names)('%s', (environment) => {
    let before: Snapshot;

    beforeAll(async () => {
      before = await project.snapshot(environment);
    });

    const stage = { project: () => project, environment, timeout, containers: several[environment] ?? 1 };
    promisesHold(stage);

    test('a secret is there below a folder in memory', { timeout }, async () => {
      const shell = 'busybox touch /run/app.pid && busybox test -s /run/secrets/TOKEN';
      const tried = await project.run('exec', '-e', environment, '--', 'busybox', 'sh', '-c', shell);
      expect(tried.code, tried.stderr).toBe(0);
    });

    test('a rollback is proven without moving traffic', { timeout }, async () => {
      // A swarm's node forgets the ended containers of the release that failed at some time of its own.
      const seen = async () =>
        Object.entries(await project.snapshot(environment)).map(([host, parts]) => {
          const stays = (name: string) => environment !== 'swarm' || !name.endsWith(' exited');
          return [host, { ...parts, containers: parts.containers.filter(stays) }];
        });
      const early = await seen();
      const { json } = await project.succeed('rollback', environment, '--drill', '--to', '1.1.0');
      expect(json).toMatchObject({ outcome: 'proven', drill: { version: '1.1.0' } });
      expect(await seen()).toEqual(early);
    });

    test('what is removed by hand is found, and healed', { timeout }, async () => {
      const found = await project.run('drift', environment, '--json');
      expect(found.code, found.stdout).toBe(0);
      await removeServing(environment);
      expect((await project.run('drift', environment, '--json')).code).toBe(5);
      await project.succeed('heal', environment, '--yes');
      const again = await project.run('drift', environment, '--json');
      expect(again.code, again.stdout).toBe(0);
    });

    nothingIsLeft(stage, () => before);
  });

  /** Removes a serving container, or a service of a swarm, as a person would by the engine itself. */
  async function removeServing(environment: string): Promise<void> {
    const [host] = project.hosts(environment);
    if (!host) throw new Error(`${environment} has no host`);
    const labels = { 'lockage.environment': environment, 'lockage.part': 'release', 'lockage.release': '1.0.0' };
    const engine = project.engine(host.name);
    if (host.node !== undefined) {
      const [service] = await engine.listServices(labels);
      return engine.removeService(service?.Spec.Name ?? '');
    }
    const [container] = await engine.listContainers({ labels });
    return engine.removeContainer(container?.Id ?? '', { force: true });
  }
});
