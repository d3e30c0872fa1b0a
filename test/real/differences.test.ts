import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createBody } from '../../infra/workloads/container/create-request.ts';
import { differencesOf, type Difference } from '../../infra/workloads/container/differences.ts';
import type { ContainerBody } from '../../infra/docker/api/client.ts';
import { networkSettings } from '../../infra/workloads/container/network-settings.ts';
import { edgeBody } from '../../infra/workloads/foundation/edge-container.ts';
import type { ContainerSpec } from '../../pipelines/model/container-spec.ts';
import {
  command,
  docker,
  engineSocket,
  importShellImage,
  openEngine,
  removeAll,
  testPrefix,
} from '../support/engine-fixture.ts';

const prefix = testPrefix();
const image = `${prefix}:1`;
const engine = openEngine();
const network = `${prefix}-prod`;
let made = 0;

beforeAll(async () => {
  await importShellImage(`${prefix}:base`);
  const settings = [
    'CMD ["sleep","3600"]',
    'ENV PATH=/bin',
    'ENV A=of-the-image',
    'LABEL kept=yes',
    'WORKDIR /tmp',
    'EXPOSE 9',
  ];
  const from = await docker('create', `${prefix}:base`);
  await docker('commit', ...settings.flatMap((each) => ['--change', each]), from, image);
  await docker('rm', from);
  await docker('network', 'create', network);
  await docker('network', 'create', `${prefix}-other`);
});

afterAll(async () => {
  // One image is made of another, which goes last.
  await Promise.all(Array.from({ length: made }, (_, index) => docker('rm', '--force', `${prefix}-web-${index + 1}`)));
  await docker('rmi', '--force', image);
  await removeAll(prefix);
});

const spec: ContainerSpec = {
  ...{ name: 'web', alias: `${prefix}-web`, host: 'here', role: 'web', image, version: '1.0.0' },
  ...{ env: { A: 'own', B: '2' }, secrets: {}, route: { publish: 8000, port: 8080 }, stopGrace: 2000 },
  health: { check: { kind: 'running' }, interval: 500, timeout: 5000, healthy: 1 } as never,
  limits: { memory: 64 * 2 ** 20, cpus: 0.5, pids: 100, files: 1024, log: 10_000_000 },
  hardening: {
    ...{ readOnly: true, noNewPrivileges: true, user: '1000' },
    ...{ allowRoot: false, reasons: {} },
    ...{ tmpfs: { '/tmp': 1_000_000 }, capabilities: ['NET_BIND_SERVICE', 'CHOWN'] },
  },
};

/** Makes a container of a request, lets somebody do something to it, and returns how it differs then. */
async function differencesAfter(
  body: ContainerBody,
  byHand: (name: string) => Promise<unknown>,
): Promise<Difference[]> {
  made += 1;
  const name = `${prefix}-web-${made}`;
  await engine.createContainer(name, body);
  await engine.startContainer(name);
  await byHand(name);
  const [found, ofImage] = await Promise.all([engine.inspectContainer(name), engine.inspectImage(image)]);
  if (!found || !ofImage) throw new Error('it is gone');
  return differencesOf(body, ofImage, found);
}

const body = (): ContainerBody => {
  const { NetworkingConfig: _, ...rest } = createBody(prefix, 'prod', spec);
  return {
    ...rest,
    HostConfig: { ...rest.HostConfig, NetworkMode: network },
    NetworkingConfig: { EndpointsConfig: { [network]: { Aliases: [spec.alias] } } },
  };
};
const nothing = async () => undefined;

describe('a container', () => {
  test('that was just made differs in nothing, of a release, of an image alone, or of an edge', async () => {
    expect(await differencesAfter(body(), nothing)).toEqual([]);
    const { Entrypoint: _, ...edge } = edgeBody({ app: prefix, environment: 'prod', ports: [], trusted: [] } as never);
    const onNetwork = {
      HostConfig: { ...edge.HostConfig, NetworkMode: network },
      NetworkingConfig: { EndpointsConfig: { [network]: { Aliases: ['edge'] } } },
    };
    expect(
      await differencesAfter({ ...onNetwork, HostConfig: { NetworkMode: network }, Image: image }, nothing),
    ).toEqual([]);
    expect(await differencesAfter({ ...edge, ...onNetwork, Image: image }, nothing)).toEqual([]);
  });

  test.each<[string, string[], string]>([
    ['more memory', ['update', '--memory', '128m', '--memory-swap', '128m'], 'HostConfig.Memory'],
    ['another share of processors', ['update', '--cpus', '1'], 'HostConfig.NanoCpus'],
    ['a weight', ['update', '--cpu-shares', '512'], 'HostConfig.CpuShares'],
    ['processors of its own', ['update', '--cpuset-cpus', '0'], 'HostConfig.CpusetCpus'],
    ['more processes', ['update', '--pids-limit', '200'], 'HostConfig.PidsLimit'],
    ['a restart policy', ['update', '--restart', 'always'], 'HostConfig.RestartPolicy.Name'],
    ['a soft limit', ['update', '--memory-reservation', '32m'], 'HostConfig.MemoryReservation'],
  ])('that was given %s by hand shows it', async (_, words, member) => {
    const found = await differencesAfter(body(), (name) => docker(...words, name));
    expect(found.map((each) => each.member)).toContain(member);
  });

  test('that was put on another network, or taken from its own, shows it', async () => {
    const added = await differencesAfter(body(), (name) => docker('network', 'connect', `${prefix}-other`, name));
    expect(added).toEqual([
      {
        member: 'Networks',
        expected: JSON.stringify([network]),
        actual: JSON.stringify([`${prefix}-other`, network].sort()),
      },
    ]);
    const renamed = await differencesAfter(body(), async (name) => {
      await docker('network', 'disconnect', network, name);
      await docker('network', 'connect', network, name);
    });
    expect(renamed.map(({ member }) => member)).toEqual([`Networks.${network}.Aliases`]);
    const gone = await differencesAfter(body(), (name) => docker('network', 'disconnect', network, name));
    expect(gone.map(({ member }) => member)).toEqual(['Networks']);
  });

  test.each<[string, string[], string]>([
    ['memory of the host', ['--ipc', 'host'], 'HostConfig.IpcMode'],
    ['another variable', ['--env', 'A=changed'], 'Config.Env.A'],
    ['a folder of the host', ['--volume', '/etc:/host'], 'HostConfig.Binds'],
    ['a capability', ['--cap-add', 'SYS_ADMIN'], 'HostConfig.CapAdd'],
    ['a published port', ['--publish', '127.0.0.1::8080'], 'HostConfig.PortBindings'],
    ['processes of the host', ['--pid', 'host'], 'HostConfig.PidMode'],
    ['another user', ['--user', '0'], 'Config.User'],
    ['a writable file system', ['--read-only=false'], 'HostConfig.ReadonlyRootfs'],
    ['another name server', ['--dns', '192.0.2.1'], 'HostConfig.Dns'],
    ['a device', ['--device', '/dev/null:/dev/x'], 'HostConfig.Devices'],
  ])('that somebody made again under its name with %s shows it', async (_, words, member) => {
    const found = await differencesAfter(body(), async (name) => {
      await docker('rm', '--force', name);
      await command(
        'docker',
        '-H',
        `unix://${engineSocket}`,
        'run',
        '--detach',
        '--name',
        name,
        '--network',
        network,
        ...words,
        image,
      );
    });
    expect(found.map((each) => each.member)).toContain(member);
  });

  test('of a tag that means another image by now shows it', async () => {
    await docker('tag', image, `${prefix}:moving`);
    const moving = { ...body(), Image: `${prefix}:moving` };
    const before = await engine.inspectImage(image);
    await importShellImage(`${prefix}:moving`, 'later');
    const name = `${prefix}-moved`;
    await engine.createContainer(name, moving);
    const found = await engine.inspectContainer(name);
    if (!found || !before) throw new Error('it is gone');
    expect(differencesOf(moving, before, found).map(({ member }) => member)).toContain('Image');
  });
});

test('a network that somebody made again by hand differs in what he set, and one as it is made in nothing', async () => {
  const name = `${prefix}-closed`;
  await docker('network', 'create', '--internal', '--opt', 'com.docker.network.bridge.enable_icc=false', name);
  const [plain, closed] = await Promise.all([network, name].map((each) => engine.inspectNetwork(each)));
  await docker('network', 'rm', name);
  if (!plain || !closed) throw new Error('it is gone');
  expect(networkSettings(plain)).toEqual([]);
  expect(networkSettings(closed).map(({ member }) => member)).toEqual([
    'Internal',
    'Options.com.docker.network.bridge.enable_icc',
  ]);
});
