import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hostRecipe, machineImage } from '../../infra/machines/image/image.ts';
import { cacheFolder } from '../../infra/system/cache-folder.ts';
import type { Environment } from '../../pipelines/model/environment.ts';
import type { LabEnvironment } from '../../scripts/lab/lab.ts';
import { loadProject } from '../../scripts/project/load.ts';
import { packageRoot } from '../../scripts/tools/cache.ts';
import { labsWork, setupTime, TestProject } from '../support/pipeline-fixture.ts';

const minutes = 60_000;

describe.runIf(labsWork)('the pipeline with every kind of environment', () => {
  let project: TestProject;
  let kinds: readonly Environment[];

  beforeAll(async () => {
    // Made once for all tests of a machine; a command has less time than it may take.
    await machineImage(join(cacheFolder(), 'machine-images'), hostRecipe);
    ({ environments: kinds } = await loadProject(join(packageRoot(), 'environments/kinds')));
    const fixed = kinds.filter(({ machines }) => !machines);
    const environments = Object.fromEntries(fixed.map((kind) => [kind.name, smallFleet(kind)]));
    const pipeline = kinds.map(({ name, after }) => ({ name, after }));
    project = await TestProject.open({ app: 'small-app', environments }, { watch: '0s', pipeline });
    for (const kind of fixed) await project.configureEnvironment(kind.name, { roles: rolesOf(kind) });
    await project.configureMachines('load-test', { kind: 'lxc', count: 1 }, { standby: 0 });
    await project.publish({ '1.0.0': {}, '1.1.0': { unhealthy: true } });
  }, setupTime);

  afterAll(async () => {
    await project?.run('destroy', 'load-test', '--yes', '--volumes');
    await project?.remove();
  }, 2 * minutes);

  /** The sample’s own numbers, where they are not those of a fleet: containers of a role, a swarm, parallel branches. */
  const rolesOf = ({ roles }: Environment) => {
    const count = roles.find(({ name }) => name === 'web')?.count;
    return count === undefined ? {} : { web: { count } };
  };
  const smallFleet = ({ hosts, orchestrator }: Environment): LabEnvironment => {
    if (orchestrator) return { hosts: 1, reach: 'unix', managers: 1 };
    return { hosts: hosts.length, reach: hosts.length > 1 ? 'ssh' : 'unix' };
  };
  const promoteIn = async (...names: string[]) => {
    for (const name of names) await project.succeed('promote', '1.0.0', '--to', name);
  };

  test(
    'takes a release through all of them, both branches before what follows them',
    { timeout: 5 * minutes },
    async () => {
      await promoteIn('dev', 'dev-anna', 'test-bert', 'test', 'qa', 'uat');
      const early = await project.promote('1.0.0', 'live-staging');
      expect([early.code, early.json?.error.details]).toEqual([
        2,
        ['1.0.0 has not run well in load-test, where nothing runs yet'],
      ]);
      await promoteIn('load-test', 'live-staging', 'prod-eu', 'partner', 'prod-us');
      const { json } = await project.succeed('status');
      expect(
        json.environments.map(({ name, version }: { name: string; version: string }) => `${name} ${version}`),
      ).toEqual(kinds.map(({ name }) => `${name} 1.0.0`));
    },
  );

  test(
    'keeps nothing of an elastic one that is not needed any more, and what came after it serves on',
    { timeout: 3 * minutes },
    async () => {
      await project.succeed('destroy', 'load-test');
      const { json } = await project.succeed('host', 'ls', 'load-test');
      expect(json.hosts.map(({ state }: { state: string }) => state)).toEqual(['not reachable']);
      await promoteIn('live-staging', 'prod-us');
      expect(await project.versions('prod-us')).toEqual(['1.0.0', '1.0.0']);
    },
  );

  test('stops a release where it fails, and nobody after it sees anything', { timeout: 2 * minutes }, async () => {
    const failed = await project.promote('1.1.0', 'dev');
    expect(failed.code, failed.stderr).toBe(3);
    const refused = await project.promote('1.1.0', 'test-bert');
    expect(refused.code, refused.stderr).toBe(2);
    expect(await project.versions('dev')).toEqual(['1.0.0']);
  });
});
