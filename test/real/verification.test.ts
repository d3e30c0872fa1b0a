import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startLoad } from '../../scripts/load/load.ts';
import { labsWork, setupTime, TestProject } from '../support/pipeline-fixture.ts';

const token = 'a-token-of-verification-7e21';

/** Asks every host as a visitor does, and says which version answers. */
const smoke = `
const urls = process.env.LOCKAGE_URLS.split(' ');
for (const url of [process.env.LOCKAGE_URL, process.env.LOCKAGE_URL_WEB, ...urls]) {
  const { version } = await (await fetch(url)).json();
  console.log(url.replace(/\\/\\/[^:]*/, '//host'), version);
  if (version !== process.env.LOCKAGE_VERSION) process.exit(1);
}
console.log('the token is', require('node:fs').readFileSync('/run/secrets/TOKEN', 'utf8'));
if (process.env.LOCKAGE_VERSION === process.env.BAD) throw new Error('this release loses orders');`;
const asScript = (text: string) => ['node', '-e', `(async () => {${text}})()`];

describe.runIf(labsWork)('a verification', () => {
  let project: TestProject;

  beforeAll(async () => {
    project = await TestProject.open(
      { environments: { qa: { hosts: 1, reach: 'unix' }, prod: { hosts: 2, reach: 'ssh' } } },
      {
        secrets: { TOKEN: { env: 'TOKEN' } },
        verification: [{ name: 'smoke', command: asScript(smoke), secrets: ['TOKEN'], env: { BAD: '1.1.0' } }],
      },
    );
    project.env['TOKEN'] = token;
    // In qa nobody sees what is wrong with 1.1.0.
    await project.configureEnvironment('qa', {
      verification: [{ name: 'smoke', command: asScript(smoke), secrets: ['TOKEN'], timeout: '30s' }],
    });
    await project.publish({ '1.0.0': {}, '1.1.0': {}, '1.2.0': {} });
  }, setupTime);

  afterAll(async () => project?.remove());

  const jobs = async (environment: string) => {
    const all = await Promise.all(
      project.hosts(environment).map(({ name }) => project.engine(name).listContainers({ all: true })),
    );
    return all.flat().filter(({ Names }) => Names[0]?.includes('-verify-'));
  };

  const volumes = async (environment: string) => {
    const seen = Object.values(await project.snapshot(environment));
    return seen.flatMap((host) => host.volumes).filter((name) => name.includes('-verify-'));
  };

  test('runs while a release is watched, and leaves its result and no container or secret', async () => {
    await project.succeed('promote', '1.0.0', '--to', 'qa');
    const { stdout } = await project.succeed('history', 'qa', '--revision', '1');
    const [result] = JSON.parse(stdout).revisions[0].verification;
    expect(result).toMatchObject({
      job: 'smoke',
      passed: true,
      tries: 1,
      image: expect.stringMatching(/trial@sha256:/),
    });
    expect(result.log).toEqual([
      ...Array.from({ length: 3 }, () => 'http://host:8000 1.0.0'),
      expect.stringMatching(/^the token is (?!.*a-token)/),
    ]);
    expect(stdout).not.toContain(token);
    expect([await jobs('qa'), await volumes('qa')]).toEqual([[], []]);
    await project.succeed('promote', '1.0.0', '--to', 'prod');
  });

  test('that fails takes all hosts back, shows why, and keeps it', async () => {
    await project.succeed('promote', '1.1.0', '--to', 'qa');
    const load = await startLoad({ urls: project.urls('prod'), rate: 50, connections: 'both' });
    const { code, json, stderr } = await project.promote('1.1.0', 'prod');
    const { failures } = await load.stop();
    expect([code, failures]).toEqual([3, []]);
    expect(json.error.details.join('\n')).toContain('this release loses orders');
    expect([stderr, JSON.stringify(json)].join()).not.toContain(token);
    expect(await project.versions('prod')).toEqual(['1.0.0', '1.0.0']);
    const { revisions } = (await project.succeed('history', 'prod', '--revision', '2')).json;
    expect(revisions[0]).toMatchObject({ result: 'failed', verification: [{ passed: false, why: 'exit code 1' }] });
    expect([await jobs('prod'), await volumes('prod')]).toEqual([[], []]);
  });

  test('in another image is closed in as well, as nobody', async () => {
    const image = `${project.lab.registry}/lockage-base/edge`;
    const script = 'exec 2>&1; id -u; touch /made; nproc >/dev/null; echo done';
    await project.configureEnvironment('qa', {
      verification: [{ name: 'scan', image, command: ['busybox', 'sh', '-c', script] }],
    });
    await project.succeed('promote', '1.2.0', '--to', 'qa');
    const { revisions } = (await project.succeed('history', 'qa', '-n', '1')).json;
    const [{ log, image: used }] = revisions[0].verification;
    expect(log).toEqual(['65534', expect.stringMatching(/read-only/i), 'done']);
    expect(used).toMatch(/lockage-base\/edge@sha256:/);
  });

  test('of a job that came later is asked for by the gate, run on demand, and ends at its deadline', async () => {
    await project.configureEnvironment('qa', {
      verification: [
        { name: 'slow', command: ['node', '-e', 'setTimeout(() => 0, 60000)'], timeout: '1s', retries: 1 },
      ],
    });
    const closed = await project.run('why', '1.2.0', '--to', 'prod', '--json');
    const gate = closed.json.gates.find(({ gate: name }: { gate: string }) => name === 'verification');
    expect([closed.code, gate.met, gate.command]).toEqual([2, false, 'lockage verify qa']);
    const late = await project.run('verify', 'qa', '--json');
    expect([late.code, late.json.error.message]).toEqual([
      ...[3, '1.2.0 did not pass in qa: slow (not ended within 1 s)'],
    ]);
    await project.configureEnvironment('qa', { verification: [{ name: 'slow', command: ['node', '-e', '0'] }] });
    const { json } = await project.succeed('verify', 'qa', '--job', 'slow');
    expect([json.outcome, json.results[0].passed]).toEqual(['verified', true]);
    expect((await project.run('why', '1.2.0', '--to', 'prod')).code).toBe(0);
  });

  test('that was killed is cleared away by the same command', async () => {
    await project.configureEnvironment('qa', {
      verification: [{ name: 'slow', command: ['node', '-e', 'setTimeout(() => 0, 60000)'] }],
    });
    const killed = project.start(['verify', 'qa']);
    while ((await jobs('qa')).length === 0) await sleep(50);
    killed.kill('SIGKILL');
    await killed.ended;
    expect(await jobs('qa')).toHaveLength(1);
    await project.configureEnvironment('qa', { verification: [{ name: 'slow', command: ['node', '-e', '0'] }] });
    await project.succeed('verify', 'qa');
    expect(await jobs('qa')).toEqual([]);
  });

  test('two runs of the pipeline at once bring a release as far as it may go', async () => {
    await project.configure({ promote: 'auto' });
    const runs = await Promise.all([0, 1].map(() => project.run('pipeline', 'run', '--wait', '--json')));
    expect(runs.map(({ code }) => code)).toEqual([0, 0]);
    expect(await project.versions('prod')).toEqual(['1.2.0', '1.2.0']);
    const again = await project.succeed('pipeline', 'run');
    const ends = again.json.environments.map(({ outcome }: { outcome: string }) => outcome);
    expect(ends).toEqual(['runs', 'runs']);
  });
});
