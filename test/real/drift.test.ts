import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { command } from '../support/engine-fixture.ts';
import { labsWork, setupTime, TestProject } from '../support/pipeline-fixture.ts';

const policy = 'HostConfig.RestartPolicy.Name';
const unlessStopped = '--restart unless-stopped';
const idle = '--detach --entrypoint sleep';
const ownLabels = '--label lockage.app=trial --label lockage.environment=prod --label lockage.part=release';
const memory = (megabytes: number) => `--memory ${megabytes}m --memory-swap ${megabytes}m`;

interface Found {
  readonly what: string;
  readonly member: string;
  readonly expected: string;
  readonly actual: string;
}

describe.runIf(labsWork)('drift', () => {
  let project: TestProject;
  let web: string;
  let standby: string;
  let image: string;

  const edge = 'trial-prod-edge';
  const network = 'trial-prod';
  const docker = (...words: string[]) => command('docker', '-H', project.lab.host('prod-1').dockerHost, ...words);

  /** Returns what is found, and sees that the exit code says it. */
  async function look(): Promise<Found[]> {
    const { code, json, stderr } = await project.run('drift', 'prod', '--json');
    const [{ hosts }] = json.environments;
    const found = hosts.flatMap(({ drift = [] }: { drift?: Found[] }) => drift);
    expect(code, stderr).toBe(found.length === 0 ? 0 : 5);
    return found;
  }

  beforeAll(async () => {
    const settings = { secrets: { TOKEN: { env: 'TOKEN' } }, env: { GREETING: 'hello' } };
    project = await TestProject.open({ environments: { prod: { hosts: 1, reach: 'unix' } }, app: 'small-app' });
    const route = { port: 8080, publish: 8000, health: { path: '/healthz', timeout: '10s' }, secrets: ['TOKEN'] };
    const cache = {
      image: `${project.lab.registry}/lockage-base/edge`,
      command: ['sleep', '86400'],
      volumes: { data: '/data' },
    };
    await project.configure({ ...settings, roles: { web: route }, accessories: { cache } });
    project.env['TOKEN'] = 'a token';
    await project.publish({ '1.0.0': {}, '1.1.0': {} });
    for (const version of ['1.0.0', '1.1.0']) await project.succeed('promote', version, '--to', 'prod');
    const names = async (version: string) =>
      docker('ps', '--filter', `label=lockage.release=${version}`, '--format', '{{.Names}}');
    [web, standby] = [await names('1.1.0'), await names('1.0.0')];
    image = await docker('inspect', '--format', '{{.Config.Image}}', web);
  }, setupTime);

  afterAll(async () => project?.remove());

  test('is none after a promotion', async () => {
    expect(await look()).toEqual([]);
    const { stdout } = await project.run('drift', 'prod');
    expect(stdout.trim()).toBe('✓ prod  1 host as recorded');
  });

  // What was done by hand, on what, what shows it, and what takes it back.
  const cases: [string, string, string, string, string][] = [
    ['a container that was stopped', 'WEB', 'state', 'stop -t 0 WEB', 'start WEB'],
    ['a container that was paused', 'WEB', 'state', 'pause WEB', 'unpause WEB'],
    ['a standby that was killed', 'STANDBY', 'state', 'kill STANDBY', 'start STANDBY'],
    ['more memory', 'WEB', 'HostConfig.Memory', `update ${memory(300)} WEB`, `update ${memory(256)} WEB`],
    ['an edge with another restart policy', 'EDGE', policy, 'update --restart no EDGE', `update ${unlessStopped} EDGE`],
    [
      'a standby that starts always',
      'STANDBY',
      policy,
      'update --restart always STANDBY',
      `update ${unlessStopped} STANDBY`,
    ],
    [
      'a container on one more network',
      'WEB',
      'Networks',
      'network connect bridge WEB',
      'network disconnect bridge WEB',
    ],
    ['a container that was renamed', 'WEB', 'container', 'rename WEB renamed', 'rename renamed WEB'],
    [
      'a stranger on its network',
      'stranger',
      'network',
      `run ${idle} --name stranger --network NETWORK IMAGE 999`,
      'rm -f stranger',
    ],
    [
      'a container under its labels',
      'twin',
      'container',
      `run ${idle} --name twin ${ownLabels} IMAGE 999`,
      'rm -f twin',
    ],
    [
      'a guard that does not live',
      'EDGE',
      'guard',
      'exec EDGE ln -sfn 1.1.1 /live/guard',
      'exec EDGE rm -f /live/guard',
    ],
    [
      'an edited route',
      'EDGE',
      'routes',
      'exec EDGE ln -sfn sets/none /live/now',
      'exec EDGE ln -sfn BEFORE /live/now',
    ],
  ];

  test.each(cases)(
    'finds %s',
    async (_, what, member, byHand, back) => {
      const names: Record<string, string> = { WEB: web, STANDBY: standby, EDGE: edge, NETWORK: network, IMAGE: image };
      const before = await docker('exec', edge, 'readlink', '/live/now');
      const words = (line: string) => line.split(' ').map((word) => ({ ...names, BEFORE: before })[word] ?? word);
      try {
        await docker(...words(byHand));
        expect(await look()).toContainEqual(expect.objectContaining({ what: names[what] ?? what, member }));
      } finally {
        await docker(...words(back));
      }
    },
    60_000,
  );

  test('finds a container that somebody made again with another variable, and does not show its value', async () => {
    await docker('rename', web, 'aside');
    await docker('run', '-d', '--name', web, '--network', network, '--env', 'GREETING=a secret', image);
    const found = await look();
    expect(found).toContainEqual(expect.objectContaining({ what: web, member: 'Config.Env.GREETING' }));
    expect(JSON.stringify(found)).not.toContain('a secret');
    await docker('rm', '-f', web);
    await docker('rename', 'aside', web);
  });

  test('is none after all of it was taken back', async () => {
    expect(await look()).toEqual([]);
  });

  test('finds a file that was changed inside, and which', async () => {
    await docker('exec', '--user', '0', 'trial-prod-cache', 'sh', '-c', 'echo added > /run/socket');
    expect(await look()).toEqual([]);
    await docker('exec', '--user', '0', 'trial-prod-cache', 'sh', '-c', 'echo changed >> /etc/passwd');
    expect(await look()).toEqual([
      expect.objectContaining({ what: 'trial-prod-cache', member: 'files', actual: '/etc/passwd' }),
    ]);
  });

  test('is unknown where a host does not answer', async () => {
    await project.lab.host('prod-1').stopDocker();
    const { code, json } = await project.run('drift', 'prod', '--json');
    expect(code).toBe(5);
    expect(json.environments[0]).toMatchObject({
      drifted: 'unknown',
      hosts: [{ name: 'prod-1', error: expect.any(String) }],
    });
  });
});
