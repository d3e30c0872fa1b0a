import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { labsWork, setupTime, TestProject } from '../support/pipeline-fixture.ts';

describe.runIf(labsWork)('the audit log', () => {
  let project: TestProject;
  let log: string;

  beforeAll(async () => {
    const one = { hosts: 1, reach: 'unix' } as const;
    project = await TestProject.open({ app: 'small-app', environments: { dev: one, prod: one } });
    log = join(project.folder, '.lockage', 'state', 'audit', 'trial');
    await project.publish({ '1.0.0': {}, '1.1.0': {}, '1.2.0': {} });
    await project.succeed('promote', '1.0.0', '--to', 'dev');
  }, setupTime);

  afterAll(async () => project?.remove());

  const operations = async () => (await project.succeed('audit', '-n', '100')).json.operations;
  const verified = async () => {
    const { code, json } = await project.run('audit', 'verify', '--json');
    return { code, ...json };
  };

  test('has who released and promoted what, and hosts and states know its end', async () => {
    await project.succeed('promote', '1.0.0', '--to', 'prod', '--reason', 'the first one');
    const [last, ...others] = await operations();
    expect(last).toMatchObject({
      entry: {
        ...{ operation: 'promote', environment: 'prod', actor: 'tester', reason: 'the first one', revision: 1 },
        release: { version: '1.0.0', digest: expect.stringMatching(/^sha256:/) },
        gates: expect.arrayContaining([expect.objectContaining({ gate: 'upstream', from: 'dev', met: true })]),
      },
      outcome: { exitCode: 0 },
      end: 'known',
    });
    expect(others.map(({ entry }: { entry: { operation: string } }) => entry.operation)).toEqual([
      ...['promote', 'release', 'release', 'release'],
    ]);
    const report = await verified();
    expect(report).toMatchObject({ code: 0, problems: [], open: [], silent: [] });
    expect(report.anchors.map(({ from }: { from: string }) => from).toSorted()).toEqual([
      ...['dev-1 of dev', 'prod-1 of prod', 'the state of dev', 'the state of prod', 'this computer'],
    ]);
    const { stdout } = await project.run('audit', 'export');
    expect(stdout.trim().split('\n')).toHaveLength(report.entries);
    const csv = (await project.run('audit', 'export', '--format', 'csv')).stdout.trim().split('\n');
    expect(csv).toHaveLength(report.entries + 1);
  });

  test('loses nothing and forks nothing when operators work at once', async () => {
    const before = (await verified()).entries;
    const ends = await Promise.all([
      project.run('promote', '1.1.0', '--to', 'dev', '--yes', '--json'),
      project.run('block', '1.2.0', '--reason', 'loses orders', '--json'),
    ]);
    expect(ends.map(({ code }) => code)).toEqual([0, 0]);
    await project.succeed('unblock', '1.2.0');
    expect(await verified()).toMatchObject({ code: 0, problems: [], open: [], entries: before + 6 });
  });

  test('says of a command that was killed that it has no outcome, and the next one that it ended without one', async () => {
    await project.killedAt('after:routes', 'promote', '1.1.0', '--to', 'prod', '--yes');
    expect((await operations())[0]).toMatchObject({
      entry: { operation: 'promote', environment: 'prod' },
      end: 'open',
    });
    expect((await verified()).open).toHaveLength(1);
    await project.succeed('promote', '1.1.0', '--to', 'prod');
    expect((await operations()).map(({ end }: { end: string }) => end).slice(0, 2)).toEqual(['known', 'abandoned']);
    expect(await verified()).toMatchObject({ code: 0, open: [] });
  });

  test.each(['drafted', 'appended'])(
    'killed when its intent is %s leaves it whole, and the same command ends well',
    async (point) => {
      const next = point === 'drafted' ? '1.0.0' : '1.1.0';
      await project.killedAt(`audit:${point}`, 'promote', next, '--to', 'prod', '--yes');
      await project.succeed('promote', next, '--to', 'prod');
      expect(await verified()).toMatchObject({ code: 0, problems: [], open: [] });
      expect((await readdir(log)).filter((name) => name.endsWith('.draft')).length).toBeLessThan(3);
    },
  );

  test('of yesterday is named, refuses a promotion, and never a rollback', async () => {
    const copy = `${log}.copy`;
    await cp(log, copy, { recursive: true });
    await project.succeed('promote', '1.2.0', '--to', 'dev');
    await project.succeed('promote', '1.2.0', '--to', 'prod');
    await rm(log, { recursive: true });
    await cp(copy, log, { recursive: true });
    const report = await verified();
    expect(report.code).toBe(5);
    expect(report.problems.join('\n')).toMatch(
      /the state of prod knows entry \d+, and the log ends with \d+: it was cut, or is an older copy/,
    );
    expect(report.problems.join('\n')).toContain('prod-1 of prod knows entry');
    const refused = await project.run('promote', '1.0.0', '--to', 'dev', '--yes', '--json');
    expect(refused.code).toBe(2);
    expect(refused.json.error.message).toBe('the audit log was cut, changed, or is an older copy');
    expect(await project.versions('dev')).toEqual(['1.2.0']);
    const back = await project.run('rollback', 'prod', '--yes');
    expect(back.code).toBe(0);
    expect(back.stderr).toContain('AUDIT: the audit log was cut');
    expect(await project.versions('prod')).toEqual(['1.1.0']);
    await project.succeed('audit', 'accept', '--reason', 'put back from a copy');
    await project.succeed('promote', '1.0.0', '--to', 'dev');
    const accepted = await verified();
    expect(accepted).toMatchObject({ code: 0, problems: [] });
    expect(accepted.accepted.join()).toContain('put back from a copy');
  });

  test('with an entry that somebody changed is named by file', async () => {
    const [first = ''] = (await readdir(log)).filter((name) => /^\d+\.json$/.test(name)).toSorted();
    const text = await readFile(join(log, first), 'utf8');
    await writeFile(join(log, first), text.replace('"actor":"tester"', '"actor":"nobody"'));
    const report = await verified();
    expect(report.code).toBe(5);
    expect(report.problems[0]).toBe(`${first}: it was changed: its hash is another one`);
    await writeFile(join(log, first), text);
    expect((await verified()).code).toBe(0);
  });

  test('is loud of who breaks the glass, and so are status and history', async () => {
    await project.configureEnvironment('prod', { breakGlass: ['hold'] });
    const words = ['promote', '1.2.0', '--to', 'prod', '--yes', '--break-glass'];
    const refused = await project.run(...words.slice(0, -1), '--json');
    expect(refused.code).toBe(2);
    expect((await project.run(...words, 'orders are lost')).code).toBe(0);
    for (const command of [['status'], ['history', 'prod'], ['audit']]) {
      expect((await project.run(...command)).stdout).toContain('BROKE THE GLASS');
    }
  });

  test('and notes say what came with a release and where it runs', async () => {
    const { json } = await project.succeed('notes', 'dev..prod');
    expect(json).toMatchObject({ from: '1.0.0', to: '1.2.0', back: false });
    expect(json.releases.map(({ version }: { version: string }) => version)).toEqual(['1.2.0', '1.1.0']);
    expect(json.releases[0].runs).toEqual(['prod']);
    expect((await project.run('notes', '1.0.0..1.2.0', '--markdown')).stdout).toContain('## 1.1.0');
  });
});
