import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createBody, withNamelessVolumes } from '../../../infra/workloads/container/create-request.ts';
import type { ContainerSpec } from '../../../pipelines/model/container-spec.ts';
import { spec } from '../../pipelines/model/values.ts';

const settings = (changes: Partial<ContainerSpec> = {}) =>
  createBody('shop', 'prod', spec('web-1.0.0', 'prod-1', changes))['HostConfig'] as Record<string, unknown>;
const { limits, hardening } = spec('web-1.0.0');

describe('the volumes that an image declares', () => {
  const image = (...paths: string[]) => ({ Config: { Volumes: Object.fromEntries(paths.map((path) => [path, {}])) } });
  const mountsOf = (body: ReturnType<typeof createBody>, ...paths: string[]) =>
    withNamelessVolumes(body, image(...paths) as never).HostConfig?.Mounts ?? [];

  test('say whose they are, beside the mounts that there are', () => {
    const body = createBody('shop', 'prod', spec('web-1.0.0', 'prod-1', { secrets: { TOKEN: 'v1' } }));
    const [secrets, volume] = mountsOf(body, '/data');
    expect(secrets).toMatchObject({ Target: '/run/secrets' });
    expect(volume).toEqual({
      ...{ Type: 'volume', Target: '/data' },
      VolumeOptions: {
        Labels: { 'lockage.app': 'shop', 'lockage.environment': 'prod', 'lockage.part': 'release' },
      },
    });
  });

  test('are left out where a folder in memory lies', () => {
    const tmpfs = { '/data': 2 ** 20 };
    const body = createBody('shop', 'prod', spec('web-1.0.0', 'prod-1', { hardening: { ...hardening, tmpfs } }));
    expect(mountsOf(body, '/data/', '//data')).toEqual([]);
  });

  test('a volume that is declared twice, with and without a slash, is mounted once; one that is no full path is left to the engine', () => {
    const body = createBody('shop', 'prod', spec('web-1.0.0'));
    const targets = mountsOf(body, '/data', '/data/', '/log', '//log/.', 'cache').map(({ Target }) => Target);
    expect(targets.map((target) => resolve('/', target))).toEqual(['/data', '/log']);
    // The engine keeps a target as it was given, and drift compares it with that.
    expect(mountsOf(body, '/data/')).toMatchObject([{ Target: '/data/' }]);
  });

  test('are none where the image declares none', () => {
    const body = createBody('shop', 'prod', spec('web-1.0.0'));
    expect(withNamelessVolumes(body, { Config: {} } as never)).toBe(body);
  });
});

describe('a release container', () => {
  test('has Docker’s init, limits of its own and rotating logs', () => {
    expect(settings()).toMatchObject({
      Init: true,
      NanoCpus: 1e9,
      LogConfig: { Type: 'json-file', Config: { 'max-size': '1000', 'max-file': '3' } },
    });
    expect(settings()).not.toHaveProperty('ShmSize');
  });

  test('whose image has an init gets no other', () => {
    expect(settings({ init: false })).toMatchObject({ Init: false });
  });

  test('has the shared memory that is configured', () => {
    expect(settings({ limits: { ...limits, shmSize: 2 ** 27 } })).toMatchObject({ ShmSize: 2 ** 27 });
  });

  test('has the limits of processes, names and stop signal that are configured', () => {
    const surroundings = {
      extraHosts: { mail: '10.0.0.9' },
      dns: { servers: ['10.0.0.2'], options: ['ndots:1'] },
      stopSignal: 'SIGQUIT',
    };
    const memlock = { soft: -1, hard: -1 };
    const found = settings({ ...surroundings, limits: { ...limits, ulimits: { memlock } } });
    expect(found).toMatchObject({ Dns: ['10.0.0.2'], DnsOptions: ['ndots:1'] });
    expect(found).not.toHaveProperty('DnsSearch');
    expect(found['Ulimits']).toEqual([
      { Name: 'core', Soft: 0, Hard: 0 },
      { Name: 'memlock', Soft: -1, Hard: -1 },
      { Name: 'nofile', Soft: limits.files, Hard: limits.files },
    ]);
  });

  test('has no limit of processors where there is none', () => {
    const { cpus: _, ...others } = limits;
    expect(settings({ limits: others })).not.toHaveProperty('NanoCpus');
  });

  test('runs programs from no folder in memory but those that are named', () => {
    const tmpfs = { '/tmp': 2 ** 24, '/cache': 2 ** 20 };
    expect(settings({ hardening: { ...hardening, tmpfs, executable: ['/tmp'] } })['Tmpfs']).toEqual({
      '/tmp': `rw,exec,nosuid,nodev,size=${2 ** 24},mode=1777`,
      '/cache': `rw,noexec,nosuid,nodev,size=${2 ** 20},mode=1777`,
    });
  });

  test('logs where it is told to', () => {
    const log = { driver: 'journald', options: { tag: 'shop' } };
    expect(settings({ log })['LogConfig']).toEqual({ Type: 'journald', Config: { tag: 'shop' } });
    // The engine takes its own when it is told none.
    expect(settings({ log: { driver: 'host' } })['LogConfig']).toBeUndefined();
  });
});
