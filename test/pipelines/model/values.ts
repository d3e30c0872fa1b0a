import type { ContainerSpec } from '../../../pipelines/model/container-spec.ts';
import type { PlacedContainer } from '../../../pipelines/model/desired-state.ts';
import type { Accessory, Environment, Role } from '../../../pipelines/model/environment.ts';
import type { EnvironmentRecord } from '../../../pipelines/model/ledger.ts';
import type { Release } from '../../../pipelines/model/release.ts';
import type { Revision } from '../../../pipelines/model/revision.ts';
import { fromRecord, type TargetRecord } from '../../../pipelines/model/target-record.ts';
import type { Host } from '../../../pipelines/model/target.ts';

/** Small values that tests of the core build theirs from. */
export const host = (name: string): Host => hostWith(name);

/** A host that is reached, or recorded, in another way. */
export function hostWith(name: string, changes: Partial<TargetRecord> = {}): Host {
  const made = fromRecord({ name, url: `unix:///run/${name}.sock`, address: '10.0.0.1', ...changes });
  if (made.kind !== 'host') throw new Error(`${name} is no host`);
  return made;
}

export function release(version: string, digit = version.replace(/\D/g, '').slice(0, 1)): Release {
  return {
    version,
    repository: 'registry.example.com/shop',
    digest: `sha256:${digit.repeat(64)}`,
    platform: 'linux/amd64',
    commit: '0123456789abcdef0123456789abcdef01234567',
    builder: 'anna@desk',
    createdAt: '2026-01-01T00:00:00.000Z',
  };
}

export function role(changes: Partial<Role> = {}): Role {
  return {
    name: 'web',
    count: 1,
    hosts: ['prod-1'],
    env: {},
    secrets: [],
    route: { publish: 80, port: 8080 },
    health: { check: { kind: 'http', path: '/healthz', port: 8080 }, interval: 100, healthy: 3, timeout: 60_000 },
    limits: { memory: 256, cpus: 1, pids: 100, files: 1024, log: 3000 },
    hardening: { readOnly: true, tmpfs: {}, capabilities: [], noNewPrivileges: true, allowRoot: false, reasons: {} },
    stopGrace: 10_000,
    ...changes,
  };
}

export function environment(changes: Partial<Environment> = {}): Environment {
  return {
    name: 'prod',
    after: [],
    hosts: [host('prod-1')],
    roles: [role()],
    accessories: [],
    secrets: {},
    watch: 0,
    standby: 1,
    same: [],
    registry: { through: 'network' },
    ...changes,
  };
}

/** A database on prod-1. */
export const accessory = (name: string): Accessory => ({
  ...{ name, image: 'postgres:16', host: 'prod-1', env: {}, secrets: [], volumes: {}, memory: 256 },
});

/** A container by its name: `web-1.0.0` is of role web and version 1.0.0. One of role web gets traffic. */
export function spec(name: string, on = 'prod-1', changes: Partial<ContainerSpec> = {}): ContainerSpec {
  const [kind = '', version = ''] = name.split('-');
  const { name: _name, count: _count, hosts: _hosts, route, ...rest } = role();
  return {
    ...rest,
    name,
    alias: name,
    host: on,
    role: kind,
    image: `registry.example.com/shop@${release(version || '1.0.0').digest}`,
    version,
    secrets: {},
    ...(kind === 'web' && route ? { route } : {}),
    ...changes,
  };
}

export const placed = (name: string, on = 'prod-1'): PlacedContainer => ({ host: host(on), spec: spec(name, on) });

/** A good promotion whose one container is named after the version. */
export function revision(number: number, version: string, changes: Partial<Revision> = {}): Revision {
  return {
    number,
    release: release(version),
    containers: [spec(`web-${version}`)],
    secretVersions: {},
    kind: 'promote',
    result: 'succeeded',
    actor: 'anna@desk',
    startedAt: '2026-01-01T12:00:00.000Z',
    duration: 4000,
    ...changes,
  };
}

export const failed = (number: number, version: string, reason = 'prod-1: web was not healthy'): Revision =>
  revision(number, version, { result: 'failed', reason });

export const rolledBackTo = (number: number, target: Revision): Revision =>
  revision(number, target.release.version, {
    kind: 'rollback',
    restores: target.number,
    containers: target.containers,
  });

/** What is recorded after these revisions; `containers` exist. */
export function record(
  revisions: readonly Revision[],
  containers: readonly PlacedContainer[] = [],
  changes: Partial<EnvironmentRecord['ledger']> = {},
): EnvironmentRecord {
  return { basis: 'nothing', ledger: { revisions, ...changes }, containers, secrets: [] };
}

/** What was thrown, as `message | details | hint`. */
export function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    const { message, details, hint } = error as { message: string; details?: string[]; hint?: string };
    return [message, ...(details ?? []), hint].filter((part) => part !== undefined).join(' | ');
  }
  return 'no refusal';
}
