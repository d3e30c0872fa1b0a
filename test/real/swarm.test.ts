import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startLoad, type Load } from '../../scripts/load/load.ts';
import { labsWork, setupTime, TestProject } from '../support/pipeline-fixture.ts';

const hash = (text: string) => createHash('sha256').update(text).digest('hex');

// The tests of this file are one story: each goes on where the one before ended.
describe.runIf(labsWork)('an environment on a swarm', () => {
  let project: TestProject;
  let load: Load;

  beforeAll(async () => {
    project = await TestProject.open({ environments: { prod: { hosts: 4, reach: 'unix', managers: 3 } } });
    const db = { image: `${project.lab.registry}/lockage-base/edge`, host: 'prod-2', port: 7000 };
    const health = { path: '/healthz', timeout: '10s' };
    await project.configure({
      roles: {
        // A folder in memory at /run, which programs ask for, lies over the one that secrets are in.
        web: {
          ...{ port: 8080, publish: 8000, count: 4, health, secrets: ['TOKEN'], stop: '4s' },
          hardening: { tmpfs: { '/run': '1MiB' } },
          extraHosts: { 'host.docker.internal': 'host-gateway' },
        },
        job: { health: { command: ['node', '-e', 'process.exit(0)'] }, stop: '4s' },
      },
      accessories: { db: { ...db, command: ['caddy', 'respond', '--listen', ':7000', 'data'] } },
      migration: { command: ['node', 'web.mjs', 'migrate'] },
      secrets: { TOKEN: { env: 'TOKEN' } },
    });
    await project.publish({
      '1.0.0': {},
      '1.1.0': {},
      '1.2.0': { unhealthyOn: 'prod-4' },
      '1.3.0': { crashAfterVisitMs: 1500 },
    });
  }, setupTime);

  afterAll(async () => {
    await load?.stop();
    await project?.remove();
  });

  const services = async () =>
    (await project.engine('prod-1').listServices({ 'lockage.environment': 'prod' }))
      .map(({ Spec: { Labels, Mode } }) =>
        [Labels['lockage.role'], Labels['lockage.release'], Mode.Replicated?.Replicas].join(' '),
      )
      .sort();
  const secrets = () => project.engine('prod-1').listSecrets({ 'lockage.environment': 'prod' });

  async function expectServed(version: string, token: string): Promise<void> {
    const answers = await project.answers('prod');
    expect(answers).toHaveLength(3);
    for (const answer of answers) expect(answer).toMatchObject({ version, built: version, secretHash: hash(token) });
  }

  test('takes a release in as services of the recorded digest, served through every manager', async () => {
    project.env['TOKEN'] = 'token-one';
    const promoted = await project.promote('1.0.0', 'prod');
    expect(promoted.code, promoted.stderr).toBe(0);
    expect(promoted.stderr).toMatch(/migrated/);
    await expectServed('1.0.0', 'token-one');
    const { digest } = promoted.json.revision.release;
    const tasks = await project.engine('prod-3').listTasks();
    expect(tasks).toHaveLength(5);
    for (const { Status, Spec } of tasks) {
      expect([Status.State, Spec.ContainerSpec?.Image]).toEqual(['running', `${project.lab.registry}/trial@${digest}`]);
    }
    expect(new Set(tasks.map(({ NodeID }) => NodeID)).size).toBe(4);
  });

  test('promoting what runs changes nothing and succeeds', async () => {
    const again = await project.promote('1.0.0', 'prod');
    expect([again.code, again.json?.outcome], again.stderr).toEqual([0, 'unchanged']);
    expect((await project.succeed('history', 'prod')).json.revisions).toHaveLength(1);
  });

  test('a container is closed in as configured, finds its neighbour, and a command can be run in it', async () => {
    const [task] = (await project.engine('prod-1').listTasks()).filter(
      ({ NetworksAttachments }) => NetworksAttachments?.length,
    );
    const service = await project.engine('prod-1').inspectService(task?.ServiceID ?? '');
    expect(service?.Spec.EndpointSpec).toEqual({ Mode: 'dnsrr' });
    const ask =
      'fetch(`http://${process.env.DB_HOST}:${process.env.DB_PORT}`).then(async (it) => console.log(await it.text()))';
    const asked = await project.run('exec', '-e', 'prod', '--', 'node', '-e', ask);
    expect([asked.code, asked.stdout.trim()], asked.stderr).toEqual([0, expect.stringMatching(/data$/)]);
    const named = await project.run(
      'exec',
      '-e',
      'prod',
      '--role',
      'web',
      '--',
      'getent',
      'hosts',
      'host.docker.internal',
    );
    expect([named.code, named.stdout], named.stderr).toEqual([0, expect.stringMatching(/\d+\.\d+\.\d+\.\d+/)]);
    const status = 'id -u; touch /app/x || echo read-only; grep -E "^Cap(Eff|Bnd)" /proc/self/status';
    const seen = await project.run('exec', '-e', 'prod', '--', 'sh', '-c', status);
    expect(seen.stdout).toMatch(/1000\n.*read-only\n.*CapEff:\s0{16}\n.*CapBnd:\s0{16}\n/);
    const logs = await project.run('logs', '-e', 'prod', '--role', 'web');
    expect(logs.stdout).toMatch(/trial 1\.0\.0 \(built as 1\.0\.0\) listens/);
  });

  test('changes release and secret without one failed request, and lets the workers of before rest', async () => {
    load = await startLoad({ urls: project.urls('prod'), rate: 50, connections: 'both' });
    project.env['TOKEN'] = 'token-two';
    const promoted = await project.promote('1.1.0', 'prod');
    expect(promoted.code, promoted.stderr).toBe(0);
    await expectServed('1.1.0', 'token-two');
    expect(await services()).toEqual(['job 1.0.0 0', 'job 1.1.0 1', 'web 1.0.0 4', 'web 1.1.0 4']);
    expect(await secrets()).toHaveLength(2);
  });

  test('refuses what one node cannot run and what crashes after the switch, with the earlier release serving', async () => {
    const running = await services();
    const refused = await project.promote('1.2.0', 'prod');
    expect([refused.code, refused.json?.error.message], refused.stderr).toEqual([
      3,
      expect.stringContaining('web 1.2.0 was not healthy within 10 s'),
    ]);
    expect(refused.json.error.details.join('\n')).toMatch(/trial 1\.2\.0 \(built as 1\.2\.0\) listens/);
    await project.configure({ watch: '8s' });
    const crashed = await project.promote('1.3.0', 'prod');
    expect([crashed.code, crashed.json?.error.message], crashed.stderr).toEqual([
      3,
      expect.stringMatching(/web 1\.3\.0 (stopped|restarted) .*(exit|of 4 running)/),
    ]);
    await project.configure({ watch: '1s' });
    await expectServed('1.1.0', 'token-two');
    expect(await services()).toEqual(running);
  });

  test('goes back by a switch to the very services that ran', async () => {
    const back = await project.rollback('prod', '--reason', 'checkout is slow');
    expect(back.code, back.stderr).toBe(0);
    expect(back.json.trafficBack).toBeGreaterThan(0);
    await expectServed('1.0.0', 'token-one');
    expect(await services()).toEqual(['job 1.0.0 1', 'job 1.1.0 0', 'web 1.0.0 4', 'web 1.1.0 4']);
    const status = (await project.succeed('status', '--env', 'prod')).json;
    expect(status).toMatchObject({ version: '1.0.0', problems: [], hosts: { ready: 3, total: 3 } });
    expect(status.rollback).toEqual([]);
    await project.succeed('resume', 'prod');
  });

  test('takes another number of containers as a revision, which later promotions keep', async () => {
    const refused = await project.run('scale', 'prod', 'web=2', '--yes', '--json');
    expect([refused.code, refused.json?.error.message], refused.stderr).toEqual([
      2,
      expect.stringMatching(/^the configuration of prod has changed since revision/),
    ]);
    project.env['TOKEN'] = 'token-one';
    const scaled = await project.succeed('scale', 'prod', 'web=2', '--reason', 'night');
    expect(scaled.json.revision).toMatchObject({
      kind: 'scale',
      reason: 'night',
      counts: { web: { count: 2, configured: 4 } },
    });
    expect(await services()).toContain('web 1.0.0 2');
    await project.succeed('promote', '1.1.0', '--to', 'prod');
    expect(await services()).toContain('web 1.1.0 2');
    const back = await project.succeed('rollback', 'prod');
    expect(back.json.revision.counts).toEqual({ web: { count: 2, configured: 4 } });
    expect(await services()).toContain('web 1.0.0 2');
    expect((await project.run('scale', 'prod', 'wbe=2')).code).toBe(2);
  });

  test('is not noticed by anybody who uses the service', async () => {
    const stats = await load.stop();
    expect(stats, JSON.stringify(stats.failures)).toMatchObject({ failed: 0 });
    expect(stats.sent).toBeGreaterThan(1000);
  });

  test('is gone after destroy, with networks, secrets and volumes', async () => {
    await project.succeed('destroy', 'prod', '--volumes');
    // A node forgets what has ended when it comes to it.
    const ended = async () => Object.values(await project.snapshot('prod')).flatMap(({ containers }) => containers);
    await expect.poll(ended).toEqual([]);
    for (const { containers, networks, volumes } of Object.values(await project.snapshot('prod'))) {
      expect([containers, volumes]).toEqual([[], []]);
      // What the swarm itself makes on a node, the first time that it needs it.
      expect(networks.filter((name) => !['docker_gwbridge', 'ingress'].includes(name))).toEqual([
        'bridge',
        'host',
        'none',
      ]);
    }
    expect(await services()).toEqual([]);
    expect(await secrets()).toEqual([]);
    expect(await project.leftProcesses()).toEqual([]);
  });
});
