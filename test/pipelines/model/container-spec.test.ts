import { describe, expect, test } from 'vitest';
import { containerSpecs, neighboursOf, type ContainerSpec } from '../../../pipelines/model/container-spec.ts';
import type { Accessory, Environment } from '../../../pipelines/model/environment.ts';
import { canonicalJson, fingerprint } from '../../../pipelines/model/fingerprint.ts';
import { environmentNames } from '../../../pipelines/model/names.ts';
import type { Release } from '../../../pipelines/model/release.ts';
import type { Swarm } from '../../../pipelines/model/target.ts';
import { environment, host, release, role } from './values.ts';

const database: Accessory = {
  name: 'main-db',
  image: 'postgres:16',
  host: 'prod-1',
  env: {},
  secrets: [],
  port: 5432,
  volumes: {},
  memory: 1,
  cpus: 1,
};

const specsOf = (
  on: Environment,
  made: Release,
  versions: Readonly<Record<string, string>> = {},
  attempt = 0,
): ContainerSpec[] => containerSpecs({ app: 'shop', environment: on, release: made, versions, attempt });
const names = (...given: Parameters<typeof specsOf>) => specsOf(...given).map(({ name }) => name);

test('an environment’s own names', () => {
  expect(environmentNames('shop', 'prod')).toEqual({
    network: 'shop-prod',
    edge: 'shop-prod-edge',
    lock: 'shop-prod-lock',
    live: 'shop-prod-live',
    migration: 'shop-prod-migration-',
  });
});

test('on a swarm a role is one service, which finds accessories by their names', () => {
  const hosts = [host('prod-1'), host('prod-2')];
  const orchestrator: Swarm = { kind: 'swarm', name: 'swarm', managers: hosts };
  const roles = [role({ count: 3, hosts: ['swarm'] }), role({ name: 'worker', hosts: ['swarm'] })];
  const onSwarm = environment({ hosts, orchestrator, roles, accessories: [database] });
  const specs = specsOf(onSwarm, release('1.0.0'), {});
  expect(specs.map((spec) => [spec.host, spec.role, spec.replicas])).toEqual([
    ['swarm', 'web', 3],
    ['swarm', 'worker', 1],
  ]);
  expect(specs[0]?.name).toMatch(/^shop-prod-web-[0-9a-f]{8}$/);
  expect(specs[0]?.name).toBe(specs[0]?.alias);
  expect(specs[0]?.env).toMatchObject({ MAIN_DB_HOST: 'main-db', MAIN_DB_PORT: '5432' });
  const more = environment({ ...onSwarm, roles: [role({ count: 4, hosts: ['swarm'] })] });
  expect(names(more, release('1.0.0'), {})[0]).not.toBe(specs[0]?.name);
});

test('containers in the order of hosts, roles and numbers, each on the hosts of its role', () => {
  const two = environment({
    hosts: [host('prod-1'), host('prod-2')],
    roles: [role({ count: 2, hosts: ['prod-1', 'prod-2'] }), role({ name: 'worker', hosts: ['prod-2'] })],
  });
  const specs = specsOf(two, release('1.0.0'), {});
  expect(specs.map((spec) => `${spec.host} ${spec.role} ${spec.name.split('-').at(-1)}`)).toEqual([
    'prod-1 web 1',
    'prod-1 web 2',
    'prod-2 web 1',
    'prod-2 web 2',
    'prod-2 worker 1',
  ]);
  for (const { name, alias } of specs) expect(name.startsWith(`${alias}-`)).toBe(true);
  expect(specs[0]?.alias).toMatch(/^shop-prod-web-[0-9a-f]{8}$/);
});

test('a resolved container', () => {
  const own = environment({
    roles: [role({ env: { COLOUR: 'blue' }, secrets: ['TOKEN'], command: ['serve'] })],
    accessories: [database],
  });
  const [spec] = specsOf(own, release('1.0.0'), { TOKEN: 'abcd1234' });
  expect(spec).toMatchObject({
    host: 'prod-1',
    role: 'web',
    version: '1.0.0',
    image: `registry.example.com/shop@sha256:${'1'.repeat(64)}`,
    command: ['serve'],
    env: {
      MAIN_DB_HOST: 'main-db',
      MAIN_DB_PORT: '5432',
      COLOUR: 'blue',
      TOKEN_FILE: '/run/secrets/TOKEN',
      LOCKAGE_ENVIRONMENT: 'prod',
      LOCKAGE_VERSION: '1.0.0',
      LOCKAGE_HOST: 'prod-1',
    },
    secrets: { TOKEN: 'abcd1234' },
  });
});

describe('a name follows from the content', () => {
  const base = names(environment(), release('1.0.0'), {});
  const withSecret = environment({ roles: [role({ secrets: ['TOKEN'] })] });

  test('the same content gives the same name', () => {
    expect(names(environment(), release('1.0.0'), {})).toEqual(base);
    expect(names(environment(), release('1.0.0'), { UNUSED: 'x' })).toEqual(base);
  });

  test.each([
    ['another digest', names(environment(), release('1.0.0', '9'), {})],
    ['another version of the same image', names(environment(), release('2.0.0', '1'), {})],
    ['another variable', names(environment({ roles: [role({ env: { A: '1' } })] }), release('1.0.0'), {})],
    ['another limit', names(environment({ roles: [role({ stopGrace: 1 })] }), release('1.0.0'), {})],
    ['another attempt', names(environment(), release('1.0.0'), {}, 1)],
  ])('%s gives another one', (_case, other) => {
    expect(other).not.toEqual(base);
  });

  test('another value of a secret gives another one', () => {
    const one = names(withSecret, release('1.0.0'), { TOKEN: 'a' });
    expect(names(withSecret, release('1.0.0'), { TOKEN: 'b' })).not.toEqual(one);
  });

  test('one container more makes all of them new: none joins those that serve before it is verified', () => {
    const more = environment({ roles: [role({ count: 2 })] });
    const [one, two] = [environment(), more].map((each) => specsOf(each, release('1.0.0'), {}));
    const aliases = two?.map(({ alias }) => alias) ?? [];
    expect(aliases).toHaveLength(2);
    expect(aliases).not.toContain(one?.[0]?.alias);
  });
});

test('an accessory is found by its name from every host, at the address of its host or the one it is exposed at', () => {
  const { port: _, ...silent } = database;
  const own = environment({
    hosts: [host('prod-1'), host('prod-2')],
    accessories: [database, { ...silent, name: 'cache' }],
  });
  const specs = specsOf({ ...own, roles: [role({ hosts: ['prod-1', 'prod-2'] })] }, release('1.0.0'));
  for (const { env } of specs) expect(env).toMatchObject({ MAIN_DB_HOST: 'main-db', MAIN_DB_PORT: '5432' });
  expect(specs.map(({ neighbours }) => neighbours)).toEqual([undefined, { 'main-db': '10.0.0.1' }]);
  const exposed = { ...own, accessories: [{ ...database, expose: '203.0.113.7' }] };
  expect(neighboursOf(exposed, 'prod-2')).toEqual({ 'main-db': '203.0.113.7' });
});

test.each([
  [{ b: 1, a: [{ d: undefined, c: null }] }, '{"a":[{"c":null}],"b":1}'],
  ['text "quoted"', '"text \\"quoted\\""'],
  [undefined, 'null'],
])('canonical JSON of %j', (value, expected) => {
  expect(canonicalJson(value)).toBe(expected);
});

test('a fingerprint is eight hex digits that do not depend on the order of keys', () => {
  expect(fingerprint({ a: 1, b: 2 })).toBe('43258cff');
  expect(fingerprint({ b: 2, a: 1 })).toBe('43258cff');
});
