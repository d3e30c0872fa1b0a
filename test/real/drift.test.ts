import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startLoad } from '../../scripts/load/load.ts';
import { doByHand, partsOn } from '../support/by-hand.ts';
import { driftGroups } from '../support/drift-kinds.ts';
import { command } from '../support/engine-fixture.ts';
import { labsWork, setupTime, TestProject } from '../support/pipeline-fixture.ts';

interface Found {
  readonly what: string;
  readonly member: string;
  readonly expected: string;
  readonly actual: string;
}

const network = 'trial-prod';

describe.runIf(labsWork)('drift', () => {
  let project: TestProject;

  const docker = (host: string, ...words: string[]) =>
    command('docker', '-H', project.lab.host(host).dockerHost, ...words);

  /** Returns what is found, and sees that the exit code says it. */
  async function look(): Promise<Found[]> {
    const { code, json, stderr } = await project.run('drift', 'prod', '--json');
    const [{ hosts }] = json.environments;
    const found = hosts.flatMap(({ drift = [] }: { drift?: Found[] }) => drift);
    expect(code, stderr).toBe(found.length === 0 ? 0 : 5);
    return found;
  }

  const names = (host: string) => partsOn(project, host, { serving: '1.1.0', standby: '1.0.0' });

  beforeAll(async () => {
    const settings = { secrets: { TOKEN: { env: 'TOKEN' } }, env: { GREETING: 'hello' } };
    project = await TestProject.open({ environments: { prod: { hosts: 2, reach: 'unix' } }, app: 'small-app' });
    const health = { path: '/healthz', timeout: '10s' };
    const web = { port: 8080, publish: 8000, count: 2, health, secrets: ['TOKEN'] };
    const worker = { health: { running: '1s' }, secrets: ['TOKEN'], stop: '1s' };
    const standing = {
      image: `${project.lab.registry}/lockage-base/edge`,
      command: ['sleep', '86400'],
      init: true,
      host: 'prod-1',
    };
    const cache = { ...standing, volumes: { data: '/data' } };
    await project.configure({ ...settings, roles: { web, worker }, accessories: { cache, queue: standing } });
    project.env['TOKEN'] = 'a token that nobody sees';
    await project.publish({ '1.0.0': {}, '1.1.0': {} });
    for (const version of ['1.0.0', '1.1.0']) await project.succeed('promote', version, '--to', 'prod');
    await docker('prod-1', 'exec', '--user', '0', `${network}-cache`, 'sh', '-c', 'echo kept > /data/kept');
  }, setupTime);

  afterAll(async () => project?.remove());

  test('is none after a promotion, and there is nothing to heal', async () => {
    expect(await look()).toEqual([]);
    const { stdout } = await project.run('drift', 'prod');
    expect(stdout.trim()).toBe('✓ prod  2 hosts as recorded');
    const healed = await project.run('heal', 'prod');
    expect([healed.code, healed.stdout.trim()]).toEqual([0, '✓ prod  nothing drifted']);
  });

  test.each([
    'what was done to containers that serve on',
    'what was done to what stands by',
    'what was done to containers that then served no more',
    'what was done to an edge or an accessory',
    'lost rules of the firewall',
    'a network and a volume that were removed',
    'what is for a person to decide',
  ])(
    'finds and heals %s',
    async (group) => {
      const { kinds = [], served = [], stays } = driftGroups.find(({ name }) => name === group) ?? {};
      const known = { 'prod-1': await names('prod-1'), 'prod-2': await names('prod-2') };
      const named = [];
      for (const each of kinds) named.push(await doByHand(project, each, known[each.host ?? 'prod-1']));
      // What ended comes back by itself, and is counted then.
      await sleep(1000);
      const found = await look();
      for (const [index, { member, what: kind }] of kinds.entries())
        expect(found, kind).toContainEqual(expect.objectContaining({ what: named[index], member }));
      const load = await startLoad({
        urls: served.map((at) => project.urls('prod')[at] ?? ''),
        rate: 60,
        connections: 'both',
      });
      const healed = await project.run('heal', 'prod', '--yes', '--json', '--reason', 'by hand');
      const { failed, sent, failures } = await load.stop();
      expect([failed, sent > 0], JSON.stringify(failures.slice(0, 3))).toEqual([0, true]);
      expect(healed.code, healed.stderr).toBe(stays ? 5 : 0);
      if (stays) return expectLeft(named, healed.json.error.details);
      expect(await look()).toEqual([]);
      expect(await project.versions('prod')).toEqual(['1.1.0', '1.1.0']);
      const [{ kind, reason, result }] = (await project.succeed('history', 'prod')).json.revisions;
      expect({ kind, reason, result }).toEqual({ kind: 'repair', reason: 'by hand', result: 'succeeded' });
    },
    240_000,
  );

  async function expectLeft(named: readonly string[], details: readonly string[]): Promise<void> {
    for (const name of named) {
      expect(details.join('\n')).toContain(`prod-1: ${name}: `);
      expect(await docker('prod-1', 'inspect', '--format', '{{.State.Status}}', name)).toBe('running');
      await docker('prod-1', 'rm', '--force', name);
    }
  }

  test('keeps what was found of what went, without secrets, and the data of an accessory', async () => {
    const folder = join(project.folder, '.lockage/drift/prod');
    const all = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.txt'));
    const texts = await Promise.all(all.map((name) => readFile(join(folder, name), 'utf8')));
    expect(texts.join('\n')).toMatch(/HostConfig\.Memory: expected 268435456, found 314572800/);
    expect(texts.join('\n')).toContain('changed /etc/passwd');
    expect(texts.join('\n')).toContain('serving initial configuration');
    expect(texts.join('\n')).not.toContain('a token that nobody sees');
    expect(await docker('prod-1', 'exec', `${network}-cache`, 'cat', '/data/kept')).toBe('kept');
  });

  test('finds a container that somebody made again with another variable, and does not show its value', async () => {
    const { WEB: web = '', IMAGE: image = '' } = await names('prod-1');
    await docker('prod-1', 'rename', web, 'aside');
    await docker('prod-1', 'run', '-d', '--name', web, '--network', network, '--env', 'GREETING=a secret', image);
    const found = await look();
    expect(found).toContainEqual(expect.objectContaining({ what: web, member: 'Config.Env.GREETING' }));
    expect(JSON.stringify(found)).not.toContain('a secret');
    await docker('prod-1', 'rm', '-f', web);
    await docker('prod-1', 'rename', 'aside', web);
    expect(await look()).toEqual([]);
  });

  test('that a rule of the firewall hides a port is said, and nothing is promoted for it', async () => {
    const host = project.lab.host('prod-2');
    // Where visitors pass, and where the host itself does, which asks once more.
    const rules = ['FORWARD', 'OUTPUT'].map((chain) => [chain, '-p', 'tcp', '--dport', '8000', '-j', 'DROP']);
    for (const rule of rules) await host.exec(['iptables', '-w', '10', '-I', ...rule]);
    try {
      const { code, json, stderr } = await project.run('heal', 'prod', '--yes', '--json');
      expect([code, json.error?.message, json.error?.hint], stderr).toEqual([
        5,
        expect.stringContaining('the edge proxies of prod-2 were made again'),
        expect.stringContaining('Look at the firewall rules of prod-2'),
      ]);
    } finally {
      for (const rule of rules) await host.exec(['iptables', '-w', '10', '-D', ...rule]);
    }
    expect(await look()).toEqual([]);
  });

  test('is unknown where a host does not answer, and nothing is healed then', async () => {
    await project.lab.host('prod-1').stopDocker();
    const { code, json } = await project.run('drift', 'prod', '--json');
    expect(code).toBe(5);
    expect(json.environments[0]).toMatchObject({
      drifted: 'unknown',
      hosts: [{ name: 'prod-1', error: expect.any(String) }, { name: 'prod-2' }],
    });
    const healed = await project.run('heal', 'prod', '--yes', '--json');
    expect([healed.code, healed.json.error.details]).toEqual([2, [expect.stringContaining('prod-1: ')]]);
  });
});
