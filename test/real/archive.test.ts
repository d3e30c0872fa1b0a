import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packageRoot } from '../../scripts/tools/cache.ts';
import { labsWork, setupTime, TestProject, type CommandResult } from '../support/pipeline-fixture.ts';

const file = '.lockage/archive/load-r1.lockage';
const year = 365 * 24 * 3_600_000;
/** What a command has to be started with to run a year from now. */
const aYearLater = {
  NODE_OPTIONS: `--import=${pathToFileURL(join(packageRoot(), 'test/support/moved-clock.mjs')).href}`,
  CLOCK_AHEAD: String(year),
};

// One story: each test goes on where the one before ended.
describe.runIf(labsWork)('an environment that is archived', () => {
  let project: TestProject;
  /** a folder of somebody who has the bundle, and nothing else */
  let away: string;

  beforeAll(async () => {
    const environments = { load: { hosts: 1, reach: 'unix' }, prod: { hosts: 1, reach: 'unix' } } as const;
    project = await TestProject.open({ app: 'small-app', environments });
    const edge = `${project.lab.registry}/lockage-base/edge`;
    const cache = { image: edge, command: ['sleep', '86400'], init: true, volumes: { data: '/data' } };
    await project.configureEnvironment('load', { accessories: { cache } });
    await project.publish({ '1.0.0': {} });
    await project.succeed('promote', '1.0.0', '--to', 'load');
    away = join(project.folder, '..', 'away');
    await mkdir(away);
  }, setupTime);

  afterAll(async () => project?.remove());

  const succeeded = ({ code, stderr, json }: CommandResult) => {
    expect(code, stderr).toBe(0);
    return json;
  };
  const sha256 = async (path: string) =>
    createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
  const volumes = async () => (await project.engine('load-1').listVolumes({})).map(({ Name }) => Name);

  test('is left as it is where its file cannot be written', async () => {
    const { code, json } = await project.run('archive', 'load', '-o', 'lockage.yaml/load.lockage', '--yes', '--json');
    expect([code, json.error.message]).toEqual([2, expect.stringContaining('lockage.yaml cannot be made')]);
    expect(await project.versions('load')).toEqual(['1.0.0']);
  });

  test('is gone from its host but for the data, also when it was killed in between, and its file is whole', async () => {
    await project.killedAt('at:destroy', 'archive', 'load', '--yes');
    expect(await project.versions('load')).toEqual(['1.0.0']);
    const json = succeeded(await project.run('archive', 'load', '--yes', '--json'));
    expect(json).toMatchObject({ outcome: 'archived', environment: 'load', file, version: '1.0.0', revision: 1 });
    expect(json.kept).toHaveLength(1);
    expect(json.sha256).toBe(await sha256(join(project.folder, file)));
    const { containers, networks } = (await project.snapshot('load'))['load-1'] ?? {};
    expect([containers, networks?.filter((name) => name.includes('trial'))]).toEqual([[], []]);
    expect(await volumes()).toEqual([json.kept[0].volume]);
    const again = succeeded(await project.run('archive', 'load', '--yes', '--json'));
    expect(again).toMatchObject({ outcome: 'archived already', file });
  });

  test('is known still: by status, history, releases and the gate of what comes after it', async () => {
    succeeded(await project.promote('1.0.0', 'prod'));
    // Nobody needs its configuration any more.
    await project.configure({ pipeline: ['prod'] });
    await rm(join(project.folder, 'environments', 'load.yaml'));
    const today = new Date().toISOString().slice(0, 10);
    const shown = await project.run('status');
    expect(shown.stdout).toContain(`archived ${today} by tester`);
    expect(shown.stdout).toMatch(new RegExp(`tester\\S*, 1\\.0\\.0: ${file}`));
    const status = succeeded(await project.run('status', '--check', '--json'));
    expect(status.environments.map(({ name, version, archived }: any) => [name, version, archived?.file])).toEqual([
      ['prod', '1.0.0', undefined],
      ['load', undefined, file],
    ]);
    const history = succeeded(await project.run('history', 'load', '--json'));
    expect(history.revisions).toMatchObject([{ number: 1, result: 'succeeded', current: false }]);
    const { releases } = succeeded(await project.run('releases', '--json'));
    expect(releases).toMatchObject([{ version: '1.0.0', runs: ['prod'], ran: ['load'] }]);
    const refused = await project.run('reproduce', 'load', '--json');
    expect([refused.code, refused.json.error.hint]).toEqual([2, `Run \`lockage reproduce --from ${file}\`.`]);
  });

  test('runs again a year later, from its file alone', async () => {
    await copyFile(join(project.folder, file), join(away, 'load.lockage'));
    await project.lab.stopRegistry();
    const engine = project.engine('load-1');
    for (const { names } of await engine.namedImages()) {
      for (const name of names.filter((each) => each.includes('/trial'))) await engine.removeImage(name);
    }
    const env = { ...aYearLater, DOCKER_HOST: project.lab.host('load-1').dockerHost };
    const later = (...words: string[]) => project.start([...words, '--json'], env, undefined, away).ended;
    const json = succeeded(await later('reproduce', '--from', 'load.lockage', '--yes'));
    expect(json).toMatchObject({ outcome: 'promoted', environment: 'load-here', original: { revision: 1 } });
    expect(json.bytesMoved.here).toBeGreaterThan(0);
    const url = `http://${project.lab.host('load-1').address}:${json.ports[8000]}/`;
    expect(await project.versions('load', [url])).toEqual(['1.0.0']);
    const [here] = succeeded(await later('status')).environments;
    expect(Date.parse(here.since)).toBeGreaterThan(Date.now() + year - 3_600_000);
  });
});
