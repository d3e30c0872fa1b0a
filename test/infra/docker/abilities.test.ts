import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { abilitiesOf } from '../../../infra/docker/abilities.ts';
import { obstacles, oddities, type Look } from '../../../pipelines/hosts/abilities.ts';
import { environment, host as hostNamed, role } from '../../pipelines/model/values.ts';
import { withOddity } from '../../support/odd-json.ts';

/** What engines say of themselves, as they said it; only what counts here. */
const engines: Readonly<Record<string, object>> = {
  debian: {
    ...{ CpuCfsQuota: true, MemoryLimit: true, PidsLimit: true, DockerRootDir: '/var/lib/docker' },
    SecurityOptions: ['name=apparmor', 'name=seccomp,profile=default'],
    ...{ LoggingDriver: 'json-file', Plugins: { Volume: ['local'], Authorization: null } },
  },
  fedora: {
    ...{ CpuCfsQuota: true, MemoryLimit: true, PidsLimit: true, DockerRootDir: '/var/lib/docker' },
    SecurityOptions: ['name=seccomp,profile=builtin', 'name=selinux', 'name=cgroupns'],
    LoggingDriver: 'journald',
  },
  snap: {
    ...{ CpuCfsQuota: true, MemoryLimit: true, PidsLimit: true },
    DockerRootDir: '/var/snap/docker/common/var-lib-docker',
    SecurityOptions: ['name=apparmor', 'name=seccomp,profile=builtin', 'name=cgroupns'],
  },
  snapWithoutAppArmor: {
    DockerRootDir: '/var/snap/docker/common/var-lib-docker',
    SecurityOptions: ['name=seccomp,profile=builtin'],
  },
  rootlessWithoutDelegation: {
    ...{ CpuCfsQuota: false, MemoryLimit: false, PidsLimit: false, CgroupDriver: 'none' },
    DockerRootDir: '/home/anna/.local/share/docker',
    SecurityOptions: ['name=seccomp,profile=builtin', 'name=rootless'],
  },
  rootlessWithDelegation: {
    ...{ CpuCfsQuota: true, MemoryLimit: true, PidsLimit: true, CgroupDriver: 'systemd' },
    SecurityOptions: ['name=seccomp,profile=builtin', 'name=rootless', 'name=cgroupns'],
  },
  synology: { CpuCfsQuota: false, MemoryLimit: true, PidsLimit: true, SecurityOptions: ['name=apparmor'] },
  raspberryPi: { CpuCfsQuota: true, MemoryLimit: false, PidsLimit: true, SecurityOptions: ['name=seccomp'] },
  withAuthorization: {
    ...{ CpuCfsQuota: true, MemoryLimit: true },
    Plugins: { Authorization: ['opa-docker-authz:0.8'] },
  },
  withTinyPools: { CpuCfsQuota: true, DefaultAddressPools: [{ Base: '172.80.0.0/24', Size: 24 }] },
  withOddPools: { CpuCfsQuota: true, DefaultAddressPools: [{ Base: '172.80.0.0/24', Size: 24 }, { Size: '24' }] },
  withPoolsOfNoUse: { CpuCfsQuota: true, DefaultAddressPools: [null, { Base: 7, Size: 24 }] },
  withoutLogs: { CpuCfsQuota: true, LoggingDriver: 'none' },
  silent: {},
};

const web = role({ route: { publish: 80, port: 8080 } });
const worker = { ...role({ hosts: ['prod-1'], log: { driver: 'host' } }), name: 'worker' };
const look = (info: object, subnets?: readonly string[]): Look => ({
  environment: environment({ roles: [web, worker] }),
  host: 'prod-1',
  abilities: abilitiesOf(info as never),
  ports: [80, 8443],
  ...(subnets ? { subnets } : {}),
});
const texts = (info: object, subnets?: readonly string[]) => ({
  refused: obstacles(look(info, subnets)).map(({ text }) => text),
  noted: oddities(look(info, subnets)).map(({ text }) => text),
});

describe('an engine', () => {
  test.each([
    ['debian', [], []],
    ['fedora', [], []],
    [
      'snap',
      ['its Docker Engine is a snap, whose AppArmor profile lets no container start with no-new-privileges'],
      [],
    ],
    ['snapWithoutAppArmor', [], []],
    [
      'rootlessWithoutDelegation',
      ['its rootless engine may not limit processors, which roles.web.limits.cpus, roles.worker.limits.cpus need'],
      [
        'its kernel does not keep limits.memory and limits.pids: a container may take all there is',
        'its engine is rootless, and may not listen on port 80 unless it was given the right',
      ],
    ],
    [
      'rootlessWithDelegation',
      [],
      ['its engine is rootless, and may not listen on port 80 unless it was given the right'],
    ],
    ['synology', ['its kernel has no CPU quotas, which roles.web.limits.cpus, roles.worker.limits.cpus need'], []],
    ['raspberryPi', [], ['its kernel does not keep limits.memory: a container may take all there is']],
    ['withAuthorization', [], ['opa-docker-authz:0.8 may refuse what its Docker Engine is asked for']],
    ['withTinyPools', ['all address pools of its Docker Engine are used, by 1 networks'], []],
    ['withOddPools', [], []],
    ['withPoolsOfNoUse', [], []],
    ['withoutLogs', [], ['its Docker Engine keeps no logs, and worker has its driver: `lockage logs` shows nothing']],
    ['silent', [], []],
  ])('as %s is refused or noted for what it cannot do', (name, refused, noted) => {
    expect(texts(engines[name] ?? {}, ['172.80.0.0/24'])).toEqual({ refused, noted });
  });

  test('is not asked for limits that nobody wants, nor for a network that is there', () => {
    const { cpus: _, ...limits } = role().limits;
    const free = { ...look(engines['synology'] ?? {}), environment: environment({ roles: [role({ limits })] }) };
    expect(obstacles(free)).toEqual([]);
    expect(obstacles(look(engines['withTinyPools'] ?? {}))).toEqual([]);
    const elsewhere = { ...look(engines['synology'] ?? {}), host: 'prod-2' };
    expect(obstacles(elsewhere)).toEqual([]);
  });

  test.each([
    ['10.0.0.7', 1, []],
    ['prod-1.example.com', 2, []],
    ['2001:db8::7', 1, [/opens port 80, 8443 at its IPv4 addresses alone/]],
    ['2001:db8::7', 2, [/at its IPv4 addresses alone/, /IPv4 alone, do not find db there/]],
  ])('of a host at %s, one of %i, is noted for who does not reach it', (address, count, noted) => {
    const hosts = ['prod-1', 'prod-2'].slice(0, count).map((name) => hostNamed(name));
    const db = { name: 'db', image: 'postgres:16', host: 'prod-1', port: 5432, memory: 2 ** 29 };
    const accessories = [{ ...db, env: {}, secrets: [], volumes: {} }];
    const found = oddities({ ...look({}), address, environment: environment({ hosts, accessories }) });
    expect(found.map(({ text }) => text)).toEqual(noted.map((each) => expect.stringMatching(each)));
    for (const { hint } of found) expect(hint).toMatch(/IPv4/);
  });

  test('may say anything', () => {
    const any = fc.constantFrom(...Object.values(engines)).chain(withOddity);
    fc.assert(
      fc.property(any, (info) => {
        const { refused, noted } = texts(Object(info) as object, ['172.80.0.0/24']);
        expect([...refused, ...noted].every((text) => typeof text === 'string')).toBe(true);
      }),
    );
  });
});
