import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hostRecipe, machineImage } from '../../infra/machines/image/image.ts';
import { cacheFolder } from '../../infra/system/cache-folder.ts';
import type { Environment } from '../../pipelines/model/environment.ts';
import { loadProject } from '../../scripts/project/load.ts';
import { packageRoot } from '../../scripts/tools/cache.ts';
import { labsWork, setupTime, TestProject } from '../support/pipeline-fixture.ts';

const minutes = 60_000;

/** A few computers for all of them: where an environment is, and of several at one place, each has a public port of its own. */
const places: Readonly<Record<string, string>> = {
  ...{ dev: 'office', 'dev-anna': 'office', 'test-bert': 'office', test: 'office', qa: 'office' },
  ...{ uat: 'rack', 'live-staging': 'rack', 'prod-us': 'rack', 'prod-eu': 'prod', partner: 'partner' },
};

describe.runIf(labsWork)('the pipeline with every kind of environment', () => {
  let project: TestProject;
  let kinds: readonly Environment[];

  beforeAll(async () => {
    // Made once for all tests of a machine; a command has less time than it may take.
    await machineImage(join(cacheFolder(), 'machine-images'), hostRecipe);
    ({ environments: kinds } = await loadProject(join(packageRoot(), 'environments/kinds')));
    const environments = {
      office: { hosts: 1, reach: 'unix' },
      rack: { hosts: 1, reach: 'ssh' },
      prod: { hosts: 2, reach: 'unix' },
      partner: { hosts: 1, reach: 'unix', managers: 1 },
    } as const;
    const pipeline = kinds.map(({ name, after }) => ({ name, after }));
    project = await TestProject.open({ app: 'small-app', environments }, { watch: '0s', pipeline });
    // The places are environments of the lab alone.
    await rm(join(project.folder, 'environments'), { recursive: true });
    await mkdir(join(project.folder, 'environments'));
    for (const [index, kind] of kinds.filter(({ machines }) => !machines).entries()) await place(kind, 8000 + index);
    await project.configureMachines('load-test', { kind: 'lxc', count: 1 }, { standby: 0 });
    await project.publish({ '1.0.0': {}, '1.1.0': { unhealthy: true } });
  }, setupTime);

  afterAll(async () => {
    await project?.run('destroy', 'load-test', '--yes', '--volumes');
    await project?.remove();
  }, 2 * minutes);

  const ports = new Map<string, number>();

  /** Writes an environment of the sample with the same roles, on a smaller fleet. */
  async function place({ name, roles }: Environment, port: number): Promise<void> {
    const count = roles.find((role) => role.name === 'web')?.count;
    const hosts = project.edges(places[name] ?? '').map((host, index) => ({ ...host, name: `${name}-${index + 1}` }));
    ports.set(name, port);
    const web = { publish: port, ...(count === undefined ? {} : { count }) };
    await project.configureOn(name, hosts, { roles: { web } });
  }

  const versions = async (environment: string) => {
    const urls = project
      .edges(places[environment] ?? '')
      .map(({ address }) => `http://${address}:${ports.get(environment)}/`);
    return project.versions(environment, urls);
  };
  const promoteIn = async (...names: string[]) => {
    for (const name of names) await project.succeed('promote', '1.0.0', '--to', name);
  };

  test(
    'takes a release through all of them, both branches before what follows them',
    { timeout: 6 * minutes },
    async () => {
      await promoteIn('dev', 'dev-anna', 'test-bert', 'test', 'qa', 'uat');
      const early = await project.promote('1.0.0', 'live-staging');
      expect([early.code, early.json?.error.details]).toEqual([
        2,
        ['1.0.0 has not run well in load-test, where nothing runs yet'],
      ]);
      await promoteIn('load-test', 'live-staging', 'prod-eu', 'partner', 'prod-us');
      const { json } = await project.succeed('status');
      const shown = json.environments as { name: string; version: string }[];
      expect(shown.map(({ name, version }) => `${name} ${version}`)).toEqual(kinds.map(({ name }) => `${name} 1.0.0`));
    },
  );

  test(
    'has one more for a tester, on a machine that shares no folder with this computer',
    { timeout: 3 * minutes },
    async () => {
      const words = ['env', 'up', 'pr-7', '--from', 'prod-eu', '--on', 'load-test-1', '--ttl', '1h', '--yes', '--json'];
      const made = await project.run(...words);
      expect(made.code, made.stderr).toBe(0);
      const { json } = await project.succeed('env', 'ls');
      const [{ urls, state }] = json.environments as [{ urls: { url: string }[]; state: string }];
      const addresses = urls.map(({ url }) => url);
      expect([await project.versions('pr-7', addresses), state]).toEqual([['1.0.0'], 'serves']);
      const gone = await project.run('env', 'down', 'pr-7', '--yes', '--json');
      expect(gone.code, gone.stderr).toBe(0);
    },
  );

  test('keeps nothing of an elastic one that is not needed any more', { timeout: 3 * minutes }, async () => {
    await project.succeed('destroy', 'load-test');
    const { json } = await project.succeed('host', 'ls', 'load-test');
    expect(json.hosts.map(({ state }: { state: string }) => state)).toEqual(['not reachable']);
    expect(await versions('live-staging')).toEqual(['1.0.0']);
  });

  test('stops a release where it fails, and nobody after it sees anything', { timeout: 2 * minutes }, async () => {
    const failed = await project.promote('1.1.0', 'dev');
    expect(failed.code, failed.stderr).toBe(3);
    const refused = await project.promote('1.1.0', 'test-bert');
    expect(refused.code, refused.stderr).toBe(2);
    expect(await versions('dev')).toEqual(['1.0.0']);
  });
});
