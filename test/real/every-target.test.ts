import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { imageFor } from '../../infra/machines/machine.ts';
import { cacheFolder } from '../../infra/system/cache-folder.ts';
import { labsWork, setupTime, TestProject, type Snapshot } from '../support/pipeline-fixture.ts';
import { nothingIsLeft, promisesHold, storyReleases } from '../support/story.ts';

/** Everything that makes and starts machines, also on a computer that is busy with other things: ms. */
const timeout = 240_000;

/** Each is an environment of the same pipeline: only its `targets` differ. Virtual machines have a file of their own. */
const kinds = ['unix', 'ssh', 'tls', 'swarm', 'lxc'] as const;

/** Those with several containers behind one edge. */
const several: Readonly<Record<string, number>> = { unix: 3, swarm: 3 };

/** What each release has to pass there: it is what visitors come to. */
const smoke = 'busybox wget -q -O - "$LOCKAGE_URL" | busybox grep -F "\\"version\\":\\"$LOCKAGE_VERSION\\""';

describe.runIf(labsWork)('the same promises hold', () => {
  let project: TestProject;

  beforeAll(async () => {
    await imageFor({ machines: '', loadBalancers: '', keys: '', images: join(cacheFolder(), 'machine-images') }, 'lxc');
    project = await TestProject.open({
      app: 'small-app',
      environments: {
        dev: { hosts: 1, reach: 'unix' },
        unix: { hosts: 1, reach: 'unix' },
        ssh: { hosts: 2, reach: 'ssh' },
        tls: { hosts: 1, reach: 'tls' },
        swarm: { hosts: 3, reach: 'unix', managers: 3 },
      },
    });
    const health = { path: '/healthz', timeout: '10s' };
    await project.configure({
      pipeline: ['dev', ...kinds.map((name) => ({ name, after: ['dev'] }))],
      roles: { web: { port: 8080, publish: 8000, health, stop: '2s' } },
      verification: [{ name: 'smoke', command: ['busybox', 'sh', '-c', smoke] }],
    });
    // They have it from the operator's computer, as no other kind has here.
    await project.configureMachines('lxc', { kind: 'lxc', count: 2 }, { registry: { through: 'ssh' } });
    for (const name of Object.keys(several)) {
      await project.configureEnvironment(name, { roles: { web: { count: several[name] } } });
    }
    await project.publish(storyReleases);
    for (const version of Object.keys(storyReleases)) await project.succeed('promote', version, '--to', 'dev');
  }, setupTime);

  afterAll(async () => {
    await project?.run('destroy', 'lxc', '--yes', '--volumes');
    await project?.remove();
  }, timeout);

  describe.each(kinds)('on %s', (environment) => {
    let before: Snapshot;

    beforeAll(async () => {
      before = await project.snapshot(environment);
    });

    const containers = several[environment] ?? 1;
    const stage = { project: () => project, environment, timeout, containers };
    promisesHold(stage);
    nothingIsLeft(stage, () => before);
  });
});
