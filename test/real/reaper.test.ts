import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ownerLabels } from '../../infra/docker/labels.ts';
import { ensureReaper, reaperOf, removeReaper } from '../../infra/hosts/reaper.ts';
import { labsWork, setupTime, TestProject } from '../support/pipeline-fixture.ts';

const host = 'try-1';
/** Environments of the one host, with the port of each; the last one is nobody's to touch. */
const ports = { try: 8000, late: 8001, 'try-2': 8002 } as const;
type Name = keyof typeof ports;

describe.runIf(labsWork)('an environment with a reaper', () => {
  let project: TestProject;
  let image: string;

  const engine = () => project.engine(host);
  const now = async () => Date.parse((await engine().info()).SystemTime) / 1000;
  const ensure = (environment: Name, deadline: number, socketPath = '/var/run/docker.sock') =>
    ensureReaper(engine(), { app: 'trial', environment, image, deadline: Math.ceil(deadline), socketPath });
  const deadlineOf = (environment: Name) => reaperOf(engine(), { app: 'trial', environment });

  /** Returns everything of an environment on the host, sorted. */
  const thingsOf = async (environment: Name) => {
    const own = { 'lockage.app': 'trial', 'lockage.environment': environment };
    const [containers, networks, volumes] = await Promise.all([
      engine().listContainers({ all: true, labels: own }),
      engine().listNetworks(own),
      engine().listVolumes(own),
    ]);
    return [...containers.map(({ Id }) => Id), ...networks, ...volumes.map(({ Name }) => Name)].sort();
  };
  const reapers = (environment: Name) =>
    engine().listContainers({ all: true, labels: ownerLabels('trial', environment, 'reaper') });
  const serves = async (environment: Name) => {
    const url = `http://${project.lab.host(host).address}:${ports[environment]}/`;
    return project.versions(environment, [url]).catch(() => []);
  };
  const untilGone = (environment: Name) =>
    expect.poll(() => thingsOf(environment), { timeout: 40_000, interval: 200 }).toEqual([]);

  beforeAll(async () => {
    project = await TestProject.open({ app: 'small-app', environments: { try: { hosts: 1, reach: 'unix' } } });
    const edge = `${project.lab.registry}/lockage-base/edge`;
    const health = { command: ['true'] };
    const cache = { image: edge, command: ['sleep', '86400'], init: true, volumes: { data: '/data' }, health };
    await project.configure({ pipeline: Object.keys(ports), accessories: { cache }, watch: '0s' });
    const { url, address } = project.lab.host(host);
    for (const [name, publish] of Object.entries(ports)) {
      const content = { targets: [{ name: host, url, address }], roles: { web: { publish } } };
      await writeFile(join(project.folder, 'environments', `${name}.yaml`), JSON.stringify(content));
    }
    await project.publish({ '1.0.0': {} });
    for (const name of Object.keys(ports)) await project.succeed('promote', '1.0.0', '--to', name);
    image = (await engine().inspectContainer('trial-try-edge'))?.Image ?? '';
  }, setupTime);

  afterAll(async () => project?.remove());

  test('goes at its last deadline with its data and all that was left on it, and its neighbours serve on', async () => {
    const [late, neighbour] = await Promise.all([thingsOf('late'), thingsOf('try-2')]);
    const [theirs = ''] = neighbour.filter((each) => /^[0-9a-f]{64}$/.test(each));
    // What a killed command leaves, of an image whose labels read as if they were those of the neighbour.
    const labels = { ...ownerLabels('trial', 'try', 'release'), Id: theirs, Name: 'trial-try-2-live' };
    await engine().createContainer('trial-try-left', { Image: image, Labels: labels });
    await engine().createVolume('trial-try-lock.x.over', { Labels: ownerLabels('trial', 'try', 'lock') });
    const first = (await now()) + 8;
    await ensure('try', first);
    expect(await deadlineOf('try')).toBe(Math.ceil(first));
    const second = first + 5;
    await ensure('try', second);
    const made = await reapers('try');
    await ensure('try', second);
    expect(made).toHaveLength(1);
    expect((await reapers('try')).map(({ Id }) => Id)).toEqual(made.map(({ Id }) => Id));
    await expect(ensure('try', second + 60, '/var/run/none.sock')).rejects.toThrow(
      'nothing would remove try after its time: its engine is not reached there by /var/run/none.sock',
    );
    expect(await deadlineOf('try')).toBe(Math.ceil(second));
    while ((await now()) < first + 1) await sleep(200);
    expect(await serves('try')).toEqual(['1.0.0']);
    await untilGone('try');
    expect(await now()).toBeGreaterThan(second);
    expect(await Promise.all([thingsOf('late'), thingsOf('try-2')])).toEqual([late, neighbour]);
    expect([await serves('try'), await serves('late'), await serves('try-2')]).toEqual([[], ['1.0.0'], ['1.0.0']]);
  });

  test('is nothing that drifted, and stays where its reaper was removed', async () => {
    await ensure('late', (await now()) + 3600);
    expect(Object.keys((await project.succeed('drift', 'late')).json)).toContain('environments');
    const { problems } = (await project.succeed('status', '--env', 'late')).json;
    expect(problems).toEqual([]);
    await removeReaper(engine(), { app: 'trial', environment: 'late' });
    expect([await deadlineOf('late'), await serves('late')]).toEqual([undefined, ['1.0.0']]);
  });

  test('goes also where its engine was killed, and started after the deadline', async () => {
    const neighbour = await thingsOf('try-2');
    const deadline = (await now()) + 4;
    await ensure('late', deadline);
    await project.lab.host(host).stopDocker({ crash: true });
    while (Date.now() / 1000 < deadline + 1) await sleep(200);
    await project.lab.host(host).startDocker();
    await untilGone('late');
    expect(await thingsOf('try-2')).toEqual(neighbour);
    await expect.poll(() => serves('try-2')).toEqual(['1.0.0']);
  });
});
