import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startLoad } from '../../scripts/load.ts';
import { labsWork, TrialPipeline } from '../support/pipeline-fixture.ts';

describe.runIf(labsWork)('a promotion', () => {
  let trial: TrialPipeline;

  beforeAll(async () => {
    trial = await TrialPipeline.open({
      environments: { dev: { hosts: 1, reach: 'unix' }, prod: { hosts: 3, reach: 'ssh' } },
    });
    await trial.publish({ '1.0.0': {}, '1.1.0': {} });
  });

  afterAll(async () => trial?.remove());

  test('a release goes through dev to prod and runs everywhere by its recorded digest', async () => {
    await trial.succeed('promote', '1.0.0', '--to', 'dev');
    const promoted = await trial.succeed('promote', '1.0.0', '--to', 'prod');
    const { digest } = promoted.json.revision.release;
    expect(digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(await trial.versions('prod')).toEqual(['1.0.0', '1.0.0', '1.0.0']);
    for (const { name } of trial.hosts('prod')) {
      const [container] = await trial.engine(name).listContainers({ labels: { 'lockage.part': 'release' } });
      expect((await trial.engine(name).inspectContainer(container?.Id ?? ''))?.Config.Image).toBe(
        `${trial.lab.registry}/trial@${digest}`,
      );
    }
  });
});
void startLoad;
