import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startLoad, type Load } from '../../scripts/load/load.ts';
import { labsWork, setupTime, TestProject } from '../support/pipeline-fixture.ts';
import { RunTimes } from '../support/run-times.ts';

const beats = ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.1; done'];

// The tests of this file are one story: each goes on where the one before ended.
describe.runIf(labsWork)('a role of which two at once are wrong', () => {
  let project: TestProject;
  let load: Load;
  const times = new RunTimes();

  beforeAll(async () => {
    const environments = {
      prod: { hosts: 2, reach: 'unix' },
      flock: { hosts: 2, reach: 'unix', managers: 1 },
    } as const;
    project = await TestProject.open({ app: 'small-app', environments });
    const health = { path: '/healthz', timeout: '3s' };
    const replace = 'stop-first';
    await project.configure({
      network: { mtu: 1400 },
      pipeline: [
        { name: 'prod', after: [] },
        { name: 'flock', after: [] },
      ],
      roles: {
        web: { port: 8080, publish: 8000, health: { path: '/' }, stop: '2s' },
        alone: { port: 8080, publish: 8001, health, replace, stop: '2s' },
        worker: { command: beats, health: { running: '1s', timeout: '4s' }, replace, stop: '2s' },
      },
    });
    await project.publish({ '1.0.0': {}, '1.1.0': {}, '1.2.0': { unhealthy: true } });
    for (const { dockerHost } of project.lab.hosts) await times.listen(dockerHost);
    await project.succeed('promote', '1.0.0', '--to', 'prod');
    await startVisitors();
  }, setupTime);

  afterAll(async () => {
    times.stop();
    await load?.stop();
    await project?.remove();
  });

  async function startVisitors(): Promise<void> {
    load = await startLoad({ urls: project.urls('prod'), rate: 50, connections: 'both' });
  }

  /** Visitors of the other role have noticed nothing. */
  async function expectNoneFailed(): Promise<void> {
    const stats = await load.stop();
    expect(stats.failed, JSON.stringify(stats.failures)).toBe(0);
  }

  /** Whatever has happened: never two at once, and one more has taken the place of another so many times. */
  async function expectInTurns(changes: number): Promise<void> {
    for (const role of ['alone', 'worker']) {
      const found = await times.of(role);
      expect([role, found.together]).toEqual([role, []]);
      expect([role, found.changes]).toEqual([role, changes]);
    }
  }

  /** The containers of both roles on the first host: `worker 1.0.0 running` → id. */
  async function alone(): Promise<Record<string, string>> {
    const labels = { 'lockage.environment': 'prod', 'lockage.part': 'release' };
    const found = await project.engine('prod-1').listContainers({ all: true, labels });
    const own = found.filter(({ Labels }) => Labels['lockage.role'] !== 'web');
    const named = own.map(({ Id, Labels, State }) => [
      `${Labels['lockage.role']} ${Labels['lockage.release']} ${State}`,
      Id,
    ]);
    return Object.fromEntries(named) as Record<string, string>;
  }

  async function expectServed(version: string, standby: string): Promise<void> {
    const urls = project.urls('prod').flatMap((url) => [url, url.replace('8000', '8001')]);
    expect(new Set(await project.versions('prod', urls))).toEqual(new Set([version]));
    expect(Object.keys(await alone()).sort()).toEqual(
      [
        `alone ${standby} exited`,
        `alone ${version} running`,
        `worker ${standby} exited`,
        `worker ${version} running`,
      ].sort(),
    );
    const { json } = await project.succeed('status', '--env', 'prod');
    expect([json.version, json.problems]).toEqual([version, []]);
  }

  test('ends on all hosts before the next one starts, and the plan says what that costs', async () => {
    const plan = await project.run('promote', '1.1.0', '--to', 'prod', '--plan');
    expect(plan.stdout + plan.stderr).toMatch(
      /alone is stopped before the next one starts: nobody does its work for a while \(at most 5 s: 2 s to stop, 3 s until healthy\); visitors of port 8001 wait, or get 502, meanwhile/,
    );
    await project.succeed('promote', '1.1.0', '--to', 'prod');
    await expectInTurns(1);
    await expectServed('1.1.0', '1.0.0');
    const next = await project.run('promote', '1.2.0', '--to', 'prod', '--plan');
    expect(next.stdout + next.stderr).toMatch(/worker is stopped .*\(about [\d.]+ s as at revision 2, at most 6 s/);
  });

  test('is brought back as the same container when the next one fails', async () => {
    const before = await alone();
    const failed = await project.promote('1.2.0', 'prod');
    expect(failed.code, failed.stderr).toBe(3);
    expect(failed.stderr).toMatch(/alone 1\.2\.0 was not healthy/);
    expect(await alone()).toEqual(before);
    await expectInTurns(3);
    await expectServed('1.1.0', '1.0.0');
    await expectNoneFailed();
  });

  test('comes back by itself when its host restarts after the operator died, and by the next command otherwise', async () => {
    const before = await alone();
    await project.killedAt('at:stop', 'promote', '1.0.0', '--to', 'prod', '--yes');
    const restarted = project.lab.host('prod-1');
    await restarted.cutPower();
    await restarted.restorePower();
    await times.listen(restarted.dockerHost);
    await expect.poll(alone).toMatchObject({ 'worker 1.1.0 running': before['worker 1.1.0 running'] });
    await project.succeed('promote', '1.1.0', '--to', 'prod');
    expect(await alone()).toEqual(before);

    await project.killedAt('after:verification', 'promote', '1.0.0', '--to', 'prod', '--yes');
    expect(await alone()).toMatchObject({ 'worker 1.0.0 running': expect.any(String) as string });
    await project.succeed('promote', '1.1.0', '--to', 'prod');
    expect(await alone()).toEqual(before);
    await expectServed('1.1.0', '1.0.0');
    expect((await times.of('worker')).together).toEqual([]);
  });

  test('goes back to the standby that rests, and a drill says that it is not started', async () => {
    const before = await alone();
    await startVisitors();
    const drill = await project.succeed('rollback', 'prod', '--drill');
    expect(drill.stderr).toMatch(/alone is not started: two of it at once are wrong/);
    expect(await alone()).toEqual(before);
    await project.succeed('rollback', 'prod');
    const after = await alone();
    expect([after['worker 1.0.0 running'], after['alone 1.0.0 running']]).toEqual([
      before['worker 1.0.0 exited'],
      before['alone 1.0.0 exited'],
    ]);
    await expectServed('1.0.0', '1.1.0');
    for (const role of ['alone', 'worker']) expect((await times.of(role)).together).toEqual([]);
    await expectNoneFailed();
  });

  test('takes turns on a swarm, too', async () => {
    const states = async () => {
      const found = await project.engine('flock-1').listServices({ 'lockage.environment': 'flock' });
      return found
        .map(
          ({ Spec: { Labels, Mode } }) =>
            `${Labels['lockage.role']} ${Labels['lockage.release']} ${Mode.Replicated?.Replicas}`,
        )
        .filter((text) => !text.startsWith('web'))
        .sort();
    };
    for (const version of ['1.0.0', '1.1.0']) await project.succeed('promote', version, '--to', 'flock');
    const before = await states();
    expect(before).toEqual(['alone 1.0.0 0', 'alone 1.1.0 1', 'worker 1.0.0 0', 'worker 1.1.0 1']);
    const failed = await project.promote('1.2.0', 'flock');
    expect(failed.code, failed.stderr).toBe(3);
    expect(await states()).toEqual(before);
    await project.succeed('rollback', 'flock');
    expect(await states()).toEqual(['alone 1.0.0 1', 'alone 1.1.0 0', 'worker 1.0.0 1', 'worker 1.1.0 0']);
    for (const role of ['alone', 'worker']) {
      const { together, changes } = await times.of(role, 'flock');
      expect([role, together, changes]).toEqual([role, [], 4]);
    }
  });

  test('networks have the MTU that is configured, and another one is refused before anything changes', async () => {
    const option = 'com.docker.network.driver.mtu';
    const before = await project.snapshot('prod');
    for (const environment of ['prod', 'flock']) {
      const found = await project.engine(`${environment}-1`).inspectNetwork(`trial-${environment}`);
      expect(found?.Options?.[option]).toBe('1400');
      await project.configure({ network: { mtu: 1300 } });
      await project.run('resume', environment);
      const refused = await project.promote('1.1.0', environment);
      expect([refused.code, refused.stderr], refused.stderr).toEqual([
        2,
        expect.stringContaining(
          `network trial-${environment} has MTU 1400, and ${environment} is configured with 1300`,
        ),
      ]);
    }
    expect(await project.snapshot('prod')).toEqual(before);
  });
});
