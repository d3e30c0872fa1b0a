import { describe, expect, test } from 'vitest';
import type { ContainerBody, ContainerDetails, ImageDetails } from '../../../infra/docker/api/client.ts';
import { asHostAllows, differencesOf } from '../../../infra/workloads/container/differences.ts';

const nofile = { Name: 'nofile', Soft: 1024, Hard: 1024 };
const rotating = { 'max-size': '10', 'max-file': '3' };
const body: ContainerBody = {
  Image: 'shop:1',
  Env: ['A=1'],
  Labels: { 'lockage.app': 'shop', 'lockage.environment': 'prod' },
  HostConfig: {
    ...{ NetworkMode: 'shop-prod', Memory: 64, MemorySwap: 64, PidsLimit: 100 },
    ...{ Ulimits: [nofile], LogConfig: { Type: 'json-file', Config: rotating } },
  },
  NetworkingConfig: { EndpointsConfig: { 'shop-prod': { Aliases: ['web'] } } },
};
const check = { Test: ['CMD', 'true'], StartPeriod: 30e9, Interval: 1e9 };
const image = { Id: 'sha256:1', Config: { Env: [], Healthcheck: check } } as unknown as ImageDetails;

/** What an engine tells of a container of that request, and of what is said besides. */
function made(host: object = {}, more: { config?: object; aliases?: string[] } = {}): ContainerDetails {
  const { HostConfig, NetworkingConfig: _, Image: __, ...config } = body;
  return {
    ...{ Id: '0123456789abcdef', Name: '/shop-prod-web-1', Image: 'sha256:1' },
    Config: { Hostname: '0123456789ab', Healthcheck: check, ...config, ...more.config },
    HostConfig: { ...HostConfig, IpcMode: 'private', ShmSize: 64 * 2 ** 20, ...host },
    NetworkSettings: { Networks: { 'shop-prod': { Aliases: more.aliases ?? ['web', '0123456789ab'] } } },
  } as unknown as ContainerDetails;
}

const membersOf = (found: ContainerDetails, asked = body) =>
  differencesOf(asked, image, found).map(({ member }) => member);

test('a container as it was asked for differs in nothing', () => {
  expect(differencesOf(body, image, made())).toEqual([]);
});

test('whose a folder in memory is, is no difference, as who has a name is not asked again; its size is', () => {
  const asked = { ...body, HostConfig: { ...body.HostConfig, Tmpfs: { '/run': 'rw,size=2' } } };
  expect(membersOf(made({ Tmpfs: { '/run': 'rw,size=2,uid=1000' } }), asked)).toEqual([]);
  expect(membersOf(made({ Tmpfs: { '/run': 'rw,size=3,uid=1000' } }), asked)).toEqual(['HostConfig.Tmpfs./run']);
});

describe('what an engine adds by its own configuration is no difference:', () => {
  const logs = (Config: object) => ({ LogConfig: { Type: 'json-file', Config } });

  test.each<[string, object]>([
    ['other limits of processes', { Ulimits: [nofile, { Name: 'memlock', Soft: 1, Hard: 1 }] }],
    ['other options of logs', logs({ ...rotating, compress: 'true' })],
    ['another size of shared memory', { ShmSize: 128 * 2 ** 20 }],
    ['memory that others can be let into', { IpcMode: 'shareable' }],
  ])('%s', (_, host) => {
    expect(membersOf(made(host))).toEqual([]);
  });

  test.each<[string, object, string]>([
    ['a limit that was asked for', { Ulimits: [{ ...nofile, Soft: 1 }] }, 'HostConfig.Ulimits'],
    ['an option of logs that was', logs({ ...rotating, 'max-size': '99' }), 'HostConfig.LogConfig.Config'],
    ['the host’s memory', { IpcMode: 'host' }, 'HostConfig.IpcMode'],
  ])('%s is one', (_, host, member) => {
    expect(membersOf(made(host))).toEqual([member]);
  });

  test('parts of a health check that is asked for are the image’s where nothing else is said', () => {
    const Healthcheck = { Test: ['CMD', 'own'], Interval: 3e9 };
    const config = { Healthcheck: { ...Healthcheck, StartPeriod: 30e9 } };
    expect(membersOf(made({}, { config }), { ...body, Healthcheck })).toEqual([]);
    expect(membersOf(made({}, { config }))).toContain('Config.Healthcheck.Test');
  });
});

describe('a host whose kernel lacks a limit', () => {
  const info = (lacking: object) => ({ MemoryLimit: true, SwapLimit: true, PidsLimit: true, ...lacking }) as never;

  test.each<[string, object, object]>([
    ['of swap', { SwapLimit: false }, { MemorySwap: -1 }],
    ['of memory', { MemoryLimit: false }, { Memory: 0, MemorySwap: -1 }],
    ['of processes', { PidsLimit: false }, { PidsLimit: null }],
  ])('%s has containers without it', (_, lacking, host) => {
    expect(membersOf(made(host), asHostAllows(body, info(lacking), made(host)))).toEqual([]);
    expect(membersOf(made(host), asHostAllows(body, info({}), made(host)))).not.toEqual([]);
  });

  test('may also keep them in writing, as an engine of a user does', () => {
    const none = info({ SwapLimit: false, MemoryLimit: false, PidsLimit: false });
    expect(membersOf(made(), asHostAllows(body, none, made()))).toEqual([]);
    const other = made({ Memory: 32 });
    expect(membersOf(other, asHostAllows(body, none, other))).toEqual(['HostConfig.Memory']);
  });

  test('gives none to a container that was made without', () => {
    const { Memory: _, MemorySwap: __, ...others } = body.HostConfig ?? {};
    const asked = asHostAllows({ ...body, HostConfig: others }, info({ SwapLimit: false }), made());
    expect(asked.HostConfig).not.toHaveProperty('MemorySwap');
  });
});

describe('names on the network', () => {
  test.each<[string, string[], number]>([
    ['its own, as engines of any version add them', ['web', '0123456789ab', 'shop-prod-web-1'], 0],
    ['one that was lost', ['0123456789ab'], 1],
    ['one that takes the requests of another role', ['web', '0123456789ab', 'db'], 1],
  ])('%s', (_, aliases, count) => {
    expect(membersOf(made({}, { aliases }))).toEqual(Array(count).fill('Networks.shop-prod.Aliases'));
  });
});

test('a container without any label is known to be somebody else’s', () => {
  expect(membersOf(made({}, { config: { Labels: {} } }))).toEqual([
    'Config.Labels.lockage.app',
    'Config.Labels.lockage.environment',
  ]);
});
