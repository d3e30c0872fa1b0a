import { cp, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startLoad, type Load } from '../../scripts/load/load.ts';
import { labsWork, setupTime, TestProject } from '../support/pipeline-fixture.ts';
import { untilStopped } from '../support/until-stopped.ts';

describe.runIf(labsWork)('who was overtaken', () => {
  let project: TestProject;
  let load: Load;

  beforeAll(async () => {
    const environments = { prod: { hosts: 2, reach: 'unix' } } as const;
    project = await TestProject.open({ app: 'small-app', environments }, { watch: '1s' });
    await project.publish({ '1.0.0': {}, '1.1.0': {}, '1.2.0': {} });
    await project.succeed('promote', '1.0.0', '--to', 'prod');
  }, setupTime);

  afterAll(async () => project?.remove());

  beforeEach(async () => {
    load = await startLoad({ urls: project.urls('prod'), rate: 50, connections: 'both' });
  });

  afterEach(async () => {
    const stats = await load.stop();
    expect(stats, JSON.stringify(stats.failures)).toMatchObject({ failed: 0 });
  });

  const history = async () => {
    const { json } = await project.succeed('history', 'prod');
    return json.revisions.map(
      ({ number, release, actor }: { number: number; release: { version: string }; actor: string }) => [
        number,
        release.version,
        actor,
      ],
    );
  };

  /** What hosts have, but for what tells a holder who sleeps that it was overtaken. */
  const settled = async () => {
    const hosts = Object.entries(await project.snapshot('prod'));
    return hosts.map(([host, { volumes, ...rest }]) => [
      host,
      { ...rest, volumes: volumes.filter((name) => !name.endsWith('.over')) },
    ]);
  };

  test('by an operator who lifted the lock ends with 75 and changes nothing', async () => {
    const words = ['promote', '1.1.0', '--to', 'prod', '--yes', '--json'];
    const anna = project.start(words, { LOCKAGE_ACTOR: 'anna', LOCKAGE_FAILPOINT: 'stop:at:deploy' });
    await anna.saw(/deploy/);

    const bob = (...command: string[]) => project.start(command, { LOCKAGE_ACTOR: 'bob' }).ended;
    expect((await bob('promote', '1.2.0', '--to', 'prod', '--yes', '--json')).code).toBe(75);
    expect((await bob('unlock', 'prod', '--yes')).code).toBe(0);
    const done = await bob('promote', '1.2.0', '--to', 'prod', '--yes', '--json');
    expect(done.code, done.stderr).toBe(0);
    const before = [await settled(), await history()];

    anna.kill('SIGCONT');
    const late = await anna.ended;
    expect(late.code, late.stderr).toBe(75);
    expect(late.json?.error?.message).toMatch(
      /prod was changed by somebody else|another operation has taken over prod/,
    );
    expect([await settled(), await history()]).toEqual(before);
    expect(await project.versions('prod')).toEqual(['1.2.0', '1.2.0']);
  });

  test('as an older copy of the state is refused by the hosts', async () => {
    const state = join(project.folder, '.lockage/state');
    const [copy, newer] = [`${state}-old`, `${state}-new`];
    await project.succeed('promote', '1.1.0', '--to', 'prod');
    // With a hold, so that there is something to resume.
    await project.succeed('rollback', 'prod');
    const { json } = await project.succeed('status', '--env', 'prod');
    await cp(state, copy, { recursive: true });
    await project.succeed('resume', 'prod');
    await project.succeed('promote', '1.1.0', '--to', 'prod');
    const before = await project.snapshot('prod');
    await cp(state, newer, { recursive: true });
    await rm(state, { recursive: true });
    await cp(copy, state, { recursive: true });

    for (const words of [
      ['resume', 'prod'],
      ['host', 'cordon', 'prod-1', '--env', 'prod'],
      ['rollback', 'prod', '--to', '1.0.0', '--yes'],
    ]) {
      const refused = await project.run(...words, '--json');
      expect(refused.code, refused.stderr).toBe(2);
      expect(refused.stderr + refused.stdout).toMatch(/hosts of prod know revision \d, this state knows \d/);
      expect(await project.snapshot('prod')).toEqual(before);
      expect(await project.versions('prod')).toEqual(['1.1.0', '1.1.0']);
    }
    expect(json.version).toBe('1.2.0');

    await rm(state, { recursive: true });
    await cp(newer, state, { recursive: true });
    await project.succeed('promote', '1.2.0', '--to', 'prod');
    expect(await project.versions('prod')).toEqual(['1.2.0', '1.2.0']);
  });

  test('as an older copy without a hold promotes nothing', async () => {
    const state = join(project.folder, '.lockage/state');
    const copy = `${state}-before`;
    await cp(state, copy, { recursive: true });
    await project.succeed('promote', '1.0.0', '--to', 'prod');
    const before = await project.snapshot('prod');
    await rm(state, { recursive: true });
    await cp(copy, state, { recursive: true });
    for (const version of ['1.2.0', '1.1.0']) {
      const refused = await project.promote(version, 'prod');
      expect(refused.code, refused.stderr).toBe(2);
      expect(await project.snapshot('prod')).toEqual(before);
    }
    expect(await project.versions('prod')).toEqual(['1.0.0', '1.0.0']);
  });

  /** All that is recorded of the environment, and what its hosts have. */
  const everything = async () => {
    const { json: recorded } = await project.succeed('history', 'prod');
    const { json: status } = await project.succeed('status', '--env', 'prod');
    expect(status.problems).toEqual([]);
    return { recorded, rollback: status.rollback, hosts: await project.snapshot('prod') };
  };

  /** Each of these is refused without a state, and names what helps. */
  const refusedCommands = [
    ['promote', '1.1.0', '--to', 'prod', '--yes'],
    ['rollback', 'prod', '--yes'],
    ['resume', 'prod'],
    ['host', 'cordon', 'prod-1', '--env', 'prod'],
  ];

  test('as an older state adopts what hosts know, and nothing that runs is touched', async () => {
    const state = join(project.folder, '.lockage/state');
    const before = await project.snapshot('prod');
    const { json } = await project.succeed('adopt', 'prod');
    expect(json).toMatchObject({ outcome: 'adopted', version: '1.0.0', missing: [], unknown: [], lostSecrets: [] });
    expect(await project.snapshot('prod')).toEqual(before);
    expect((await history()).at(0)?.[1]).toBe('1.0.0');
    await everything();
    await cp(state, `${state}-adopted`, { recursive: true });
    expect((await project.run('adopt', 'prod', '--yes', '--json')).json.error.message).toContain('nothing to adopt');
  });

  test('whose state is lost adopts it from the hosts, and rolls back', async () => {
    const state = join(project.folder, '.lockage/state');
    const before = await everything();
    await rename(state, `${state}-lost`);
    for (const words of refusedCommands) {
      const refused = await project.run(...words, '--json');
      expect([refused.code, refused.json?.error?.hint], refused.stderr).toEqual([
        2,
        expect.stringContaining('lockage adopt prod'),
      ]);
    }
    expect(await project.snapshot('prod')).toEqual(before.hosts);
    await project.succeed('adopt', 'prod');
    expect(await everything()).toEqual(before);
    // Networks and edges, too.
    const drift = await project.run('drift', 'prod');
    expect([drift.code, drift.stdout]).toEqual([0, expect.stringContaining('as recorded')]);

    const { json } = await project.succeed('rollback', 'prod');
    expect(json.trafficBack).toBeGreaterThan(0);
    expect(await project.versions('prod')).toEqual(['1.2.0', '1.2.0']);
    await project.succeed('resume', 'prod');
  });

  test('as another clone that never had a state works on with what it adopts', async () => {
    const clone = join(project.folder, '../clone');
    await mkdir(clone);
    for (const name of ['lockage.yaml', 'environments']) {
      await cp(join(project.folder, name), join(clone, name), { recursive: true });
    }
    const there = (...words: string[]) => project.start([...words, '--yes', '--json'], {}, undefined, clone).ended;
    const adopted = await there('adopt', 'prod');
    expect(adopted.code, adopted.stderr).toBe(0);
    const back = await there('rollback', 'prod', '--to', '1.0.0');
    expect(back.code, back.stderr).toBe(0);
    expect((await project.promote('1.1.0', 'prod')).code).toBe(2);
    await project.succeed('adopt', 'prod');
    expect((await history()).at(0)?.[1]).toBe('1.0.0');
    expect((await everything()).recorded.hold.reason).toBe('rolled back from 1.2.0 to 1.0.0');
  });

  test('whose state is lost after two promotions were killed adopts what was tried, and promotes', async () => {
    await project.run('resume', 'prod');
    for (let times = 0; times < 2; times += 1) {
      await project.killedAt('after:container', 'promote', '1.1.0', '--to', 'prod', '--yes');
    }
    const { json: tried } = await project.succeed('history', 'prod');
    expect(tried.revisions.slice(0, 2)).toMatchObject([{ result: 'unfinished' }, { result: 'unfinished' }]);
    await rename(join(project.folder, '.lockage/state'), join(project.folder, '.lockage/state-killed'));
    await project.succeed('adopt', 'prod');
    // The last one died before it could tell anybody what it was.
    const { json: adopted } = await project.succeed('history', 'prod');
    expect(adopted.revisions).toEqual(tried.revisions.slice(1));
    await project.succeed('promote', '1.1.0', '--to', 'prod');
    expect(await project.versions('prod')).toEqual(['1.1.0', '1.1.0']);
    await everything();
  });

  test('as it slept for longer than its lease ends with 75 and changes nothing', async () => {
    const words = ['promote', '1.2.0', '--to', 'prod', '--yes', '--json'];
    const asleep = { LOCKAGE_ACTOR: 'anna', LOCKAGE_LEASE: '3', LOCKAGE_FAILPOINT: 'stop:at:deploy' };
    const anna = project.start(words, asleep);
    await anna.saw(/deploy/);

    const done = await project.promote('1.0.0', 'prod', '--wait', '30s');
    expect(done.code, done.stderr).toBe(0);
    expect(done.stderr).toContain('the lock of anna (promote 1.2.0), whose lease is over');
    const before = [await settled(), await history()];

    anna.kill('SIGCONT');
    const late = await anna.ended;
    expect(late.code, late.stderr).toBe(75);
    expect(late.json?.error?.message).toBe('another operation has taken over prod');
    expect([await settled(), await history()]).toEqual(before);
    expect(await project.versions('prod')).toEqual(['1.0.0', '1.0.0']);
  });

  test('while it stood still in the middle of a record that all share keeps nobody from it, and is told', async () => {
    const block = (version: string) => ['block', version, '--reason', 'trial', '--json'];
    const anna = project.start(block('1.1.0'), { LOCKAGE_ACTOR: 'anna', LOCKAGE_FAILPOINT: 'stop:after:releases' });
    await untilStopped(anna.pid);

    const done = await project.start(block('1.2.0'), { LOCKAGE_ACTOR: 'bob' }).ended;
    expect(done.code, done.stderr).toBe(0);
    const recorded = async () => (await project.succeed('releases')).json;
    const before = await recorded();

    anna.kill('SIGCONT');
    const late = await anna.ended;
    expect(late.code, late.stderr).toBe(75);
    expect(late.json.error.message).toBe(
      'this command stood still while it recorded releases, and another one took over',
    );
    expect(await recorded()).toEqual(before);
    await project.succeed('unblock', '1.2.0');
  });

  test('on another computer, while it recorded for all, keeps them from it until a person has seen who it is', async () => {
    const lock = { pid: 4711, username: 'anna', hostname: 'runner-7', timestamp: '2026-01-02T03:04:05Z' };
    const locks = join(project.folder, '.lockage/state/.pulumi/locks/organization/trial/releases');
    await mkdir(locks, { recursive: true });
    await writeFile(join(locks, 'a1.json'), JSON.stringify(lock));
    const refused = await project.run('block', '1.2.0', '--reason', 'trial', '--json');
    expect(refused.code, refused.stderr).toBe(75);
    expect(refused.json.error.message).toContain('releases is being changed by anna@runner-7 (process 4711)');
    expect(refused.json.error.hint).toContain('`lockage unlock --records`');

    const unlocked = await project.run('unlock', '--records', '--yes', '--json');
    expect(unlocked.json, unlocked.stderr).toEqual({ outcome: 'unlocked', records: ['releases'] });
    expect(unlocked.stderr).toContain('releases is locked by anna@runner-7 (process 4711) since');
    await project.succeed('block', '1.2.0', '--reason', 'trial');
    await project.succeed('unblock', '1.2.0');
    expect((await project.run('unlock', '--records', '--yes', '--json')).json).toEqual({ outcome: 'not locked' });
    expect((await project.run('unlock')).code).toBe(2);
  });

  test('in the middle of its change, and is killed before it goes on, leaves what was recorded meanwhile', async () => {
    const words = ['promote', '1.2.0', '--to', 'prod', '--yes', '--json'];
    const anna = project.start(words, { LOCKAGE_ACTOR: 'anna', LOCKAGE_FAILPOINT: 'stop:at:start' });
    await anna.saw(/start/);
    const bob = (...command: string[]) => project.start(command, { LOCKAGE_ACTOR: 'bob' }).ended;
    expect((await bob('unlock', 'prod', '--yes')).code).toBe(0);
    const done = await bob('promote', '1.1.0', '--to', 'prod', '--yes', '--json');
    expect(done.code, done.stderr).toBe(0);
    const before = [await settled(), await history()];

    anna.kill('SIGKILL');
    await anna.ended;
    expect(await project.leftProcesses(20_000, /pulumi-resource-docker/)).toEqual([]);
    expect([await settled(), await history()]).toEqual(before);
    expect((await project.run('status', '--env', 'prod', '--check')).code).toBe(0);
    await project.succeed('promote', '1.0.0', '--to', 'prod');
  });

  test('is nobody who lives: not where its process is not seen, and not by who waits for it', async () => {
    const words = (version: string) => ['promote', version, '--to', 'prod', '--yes', '--json'];
    const anna = project.start(words('1.1.0'), { LOCKAGE_ACTOR: 'anna', LOCKAGE_FAILPOINT: 'stop:at:deploy' });
    await anna.saw(/deploy/);
    const before = await project.snapshot('prod');
    const apart = await project.startApart(words('1.2.0'), { LOCKAGE_ACTOR: 'bob' }).ended;
    expect(apart.code, apart.stderr).toBe(75);
    expect(apart.json.error.details).toEqual([
      expect.stringMatching(/^process \d+ on .*: another computer of that name, a container, or/),
    ]);
    expect(await project.snapshot('prod')).toEqual(before);

    const carl = project.start([...words('1.2.0'), '--wait', '60s'], { LOCKAGE_ACTOR: 'carl' });
    await carl.saw(/anna/);
    anna.kill('SIGCONT');
    const [first, second] = [await anna.ended, await carl.ended];
    expect([first.code, second.code], first.stderr + second.stderr).toEqual([0, 0]);
    expect((await history()).slice(0, 2).map((each: unknown[]) => each.slice(1))).toEqual([
      ['1.2.0', 'carl'],
      ['1.1.0', 'anna'],
    ]);
    expect(await project.versions('prod')).toEqual(['1.2.0', '1.2.0']);
  });
});
