import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startLoad, type Load } from '../../scripts/load/load.ts';
import { labsWork, setupTime, TestProject } from '../support/pipeline-fixture.ts';

const hash = (text: string) => createHash('sha256').update(text).digest('hex');

// The tests of this file are one story: each goes on where the one before ended.
describe.runIf(labsWork)('a rollback', () => {
  let project: TestProject;
  let load: Load;
  let idsBefore: Record<string, string>;

  beforeAll(async () => {
    project = await TestProject.open({ environments: { prod: { hosts: 2, reach: 'ssh' } } });
    await project.publish({ '1.0.0': {}, '1.1.0': {}, '1.2.0': {} });
    await promoteWith('1.0.0', 'good morning', 'token-one');
    load = await startLoad({ urls: project.urls('prod'), rate: 100, connections: 'both' });
    await promoteWith('1.1.0', 'good day', 'token-two');
    idsBefore = await project.containerIds('prod');
    await promoteWith('1.2.0', 'good evening', 'token-three');
  }, setupTime);

  afterAll(async () => {
    await load?.stop();
    await project?.remove();
  });

  async function promoteWith(version: string, greeting: string, token: string): Promise<void> {
    const web = { port: 8080, publish: 8000, health: { path: '/healthz', timeout: '10s' }, secrets: ['TOKEN'] };
    const secrets = { TOKEN: { env: 'TOKEN' } };
    await project.configure({ roles: { web }, env: { GREETING: greeting }, secrets });
    project.env['TOKEN'] = token;
    await project.succeed('promote', version, '--to', 'prod');
  }

  async function expectServed(version: string, greeting: string, token: string): Promise<void> {
    for (const answer of await project.answers('prod')) {
      expect(answer).toMatchObject({ version, built: version, greeting, secretHash: hash(token) });
    }
  }

  test.each([
    ['its standby', undefined, 'standby', '1.1.0'],
    ['containers that are made for it', '1.0.0', 'image', '1.0.0'],
  ])('is proven with %s, and nothing that runs is another', async (_case, to, from, version) => {
    const before = await project.snapshot('prod');
    const proven = await project.succeed('rollback', 'prod', '--drill', ...(to === undefined ? [] : ['--to', to]));
    expect(proven.json).toMatchObject({ outcome: 'proven', drill: { version, from } });
    expect(await project.snapshot('prod')).toEqual(before);
    await expectServed('1.2.0', 'good evening', 'token-three');
    const { json: status } = await project.succeed('status', '--env', 'prod');
    expect(status.drill).toEqual(proven.json.drill);
  });

  test('is said to be possible beforehand, and hosts and containers are checked as the CIS benchmark does', async () => {
    const { code, json, stderr } = await project.run('doctor', 'prod', '--cis', '--json');
    expect(code, stderr).toBe(0);
    const said = (name: string) => json.checks.find((each: any) => each.name === name);
    expect(said('promote')).toMatchObject({ group: 'prod', level: 'good' });
    expect(said('roll back')?.text).toMatch(
      /^yes: to 1\.1\.0 \(revision 2, a switch\), 1\.0\.0 \(revision 1, from its image\)$/,
    );
    expect(said('images')?.text).toBe('what serves and all that can be gone back to is on every host');
    expect([said('lock')?.text, said('clocks')?.level]).toEqual(['free', 'good']);
    const passes = ['5.4', '5.5', '5.10', '5.11', '5.16', '5.17', '5.26', '5.31', '5.32'];
    expect(passes.map((id) => said(id)?.text.split(':')[0])).toEqual(passes.map(() => 'pass'));
    expect(said('5.15')).toMatchObject({ level: 'good', text: expect.stringMatching(/^accepted: /) });
  });

  test('is proven for all environments by one command, for a schedule', async () => {
    const { code, json, stderr } = await project.run('drill', '--all', '--json');
    expect(code, stderr).toBe(0);
    expect(json.environments).toMatchObject([{ environment: 'prod', outcome: 'proven', drill: { version: '1.1.0' } }]);
    expect((await project.run('drill', '--json')).code).toBe(2);
  });

  test('that cannot be recorded leaves the traffic on the earlier release, and is recorded when it is run again', async () => {
    await expectServed('1.2.0', 'good evening', 'token-three');
    const { revisions } = (await project.succeed('history', 'prod')).json;
    project.env['PULUMI_CONFIG_PASSPHRASE'] = 'not the one';
    const back = await project.rollback('prod');
    delete project.env['PULUMI_CONFIG_PASSPHRASE'];
    expect([back.code, back.json.error.message]).toEqual([
      4,
      'prod serves 1.1.0 on all hosts, but it could not be recorded: the passphrase does not open the state of prod',
    ]);
    await expectServed('1.1.0', 'good day', 'token-two');
    expect((await project.succeed('history', 'prod')).json.revisions).toEqual(revisions);
  });

  test('brings image, configuration and secret back together, in the very containers that ran', async () => {
    const back = await project.rollback('prod', '--reason', 'checkout is slow');
    expect([back.code, back.json?.revision.number, back.json?.revision.restores]).toEqual([0, 4, 2]);
    await expectServed('1.1.0', 'good day', 'token-two');
    const ids = await project.containerIds('prod');
    for (const host of ['prod-1', 'prod-2']) expect(ids[`${host} 1.1.0`]).toBe(idsBefore[`${host} 1.1.0`]);
    expect(back.json.trafficBack).toBeGreaterThan(0);
  });

  test('holds the environment until a person resumes it', async () => {
    const before = await project.snapshot('prod');
    const refused = await project.promote('1.2.0', 'prod');
    expect(refused.code).toBe(2);
    expect(refused.json.error.details[0]).toMatch(/prod is on hold since .* by tester: checkout is slow/);
    expect(await project.snapshot('prod')).toEqual(before);
  });

  test('without a standby and without the registry makes the recorded containers again', async () => {
    project.env['TOKEN'] = 'token-of-today';
    await project.configure({ env: { GREETING: 'good night' } });
    for (const { name } of project.hosts('prod')) {
      const labels = { 'lockage.release': '1.0.0' };
      for (const { Id } of await project.engine(name).listContainers({ all: true, labels })) {
        await project.engine(name).removeContainer(Id, { force: true });
      }
    }
    await project.lab.stopRegistry();
    try {
      const back = await project.rollback('prod');
      expect(back.code, back.stderr).toBe(0);
    } finally {
      await project.lab.startRegistry();
    }
    await expectServed('1.0.0', 'good morning', 'token-one');
  });

  test('says when there is nothing earlier', async () => {
    const before = await project.snapshot('prod');
    const none = await project.rollback('prod');
    expect([none.code, none.json.error.message]).toEqual([2, 'prod has no earlier good revision to go back to']);
    expect(await project.snapshot('prod')).toEqual(before);
  });

  test('is over when a person resumes, and releases come in again', async () => {
    await project.succeed('resume', 'prod');
    await promoteWith('1.2.0', 'good evening', 'token-three');
    await expectServed('1.2.0', 'good evening', 'token-three');
    const { revisions } = (await project.succeed('history', 'prod')).json;
    expect(revisions.map(({ number, kind, release }: any) => `${number} ${kind} ${release.version}`).reverse()).toEqual(
      [
        ...['1 promote 1.0.0', '2 promote 1.1.0', '3 promote 1.2.0', '4 rollback 1.1.0', '5 rollback 1.0.0'],
        // The resume took a number.
        '7 promote 1.2.0',
      ],
    );
  });

  test('is not noticed by anybody who uses the service', () => {
    const stats = load.stats();
    expect(stats, JSON.stringify(stats.failures)).toMatchObject({ failed: 0 });
    expect(stats.sent).toBeGreaterThan(1000);
  });
});
