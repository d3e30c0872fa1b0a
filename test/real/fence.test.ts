import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startLoad, type Load } from '../../scripts/load/load.ts';
import { labsWork, setupTime, TestProject } from '../support/pipeline-fixture.ts';

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

  test('by an operator who lifted the lock ends with 75 and changes nothing', async () => {
    const words = ['promote', '1.1.0', '--to', 'prod', '--yes', '--json'];
    const anna = project.start(words, { LOCKAGE_ACTOR: 'anna', LOCKAGE_FAILPOINT: 'stop:at:deploy' });
    await anna.saw(/deploy/);

    const bob = (...command: string[]) => project.start(command, { LOCKAGE_ACTOR: 'bob' }).ended;
    expect((await bob('promote', '1.2.0', '--to', 'prod', '--yes', '--json')).code).toBe(75);
    expect((await bob('unlock', 'prod', '--yes')).code).toBe(0);
    const done = await bob('promote', '1.2.0', '--to', 'prod', '--yes', '--json');
    expect(done.code, done.stderr).toBe(0);
    const before = [await project.snapshot('prod'), await history()];

    anna.kill('SIGCONT');
    const late = await anna.ended;
    expect([late.code, late.json?.error?.message], late.stderr).toEqual([
      75,
      'prod was changed by somebody else meanwhile: nothing was done',
    ]);
    expect([await project.snapshot('prod'), await history()]).toEqual(before);
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
});
