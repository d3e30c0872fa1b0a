import { describe, expect, test } from 'vitest';
import { containerSpecs, type ContainerSpec } from '../../../pipelines/model/container-spec.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import { recordedOf } from '../../../pipelines/model/read-recorded.ts';
import {
  secretsOf,
  textOfRecorded,
  withoutVersions,
  type RecordedRevision,
} from '../../../pipelines/model/recorded-revision.ts';
import { chooseRevision, parseRevisionName } from '../../../pipelines/planning/choose-revision.ts';
import {
  planReproduction,
  portsInQuestion,
  reproducedRelease,
  reproductionName,
  type HereFacts,
  type ReproductionInputs,
} from '../../../pipelines/planning/plan-reproduction.ts';
import { reproducedEnvironment } from '../../../pipelines/planning/reproduced-environment.ts';
import { reproductionDifferences } from '../../../pipelines/planning/reproduction-differences.ts';
import { environment, failed, host, refusal, release, revision, role } from '../model/values.ts';

const database = {
  name: 'db',
  image: `registry.example.com/postgres@sha256:${'d'.repeat(64)}`,
  host: 'prod-1',
  env: { POSTGRES_USER: 'shop' },
  secrets: ['PASSWORD'],
  port: 5432,
  volumes: { data: '/var/lib/postgresql/data' },
  memory: 512,
};

/** Prod on two hosts, with everything that a container can have. */
const prod = environment({
  hosts: [host('prod-1'), host('prod-2')],
  roles: [
    role({
      ...{ hosts: ['prod-1', 'prod-2'], count: 2, command: ['serve', '--fast'], env: { LEVEL: 'info' } },
      ...{ secrets: ['PASSWORD', 'TOKEN'], init: false, log: { driver: 'journald', options: { tag: 'shop' } } },
    }),
    role({ name: 'worker', hosts: ['prod-2'], route: undefined as never, stopGrace: 30_000 }),
  ].map(({ route, ...rest }) => (route ? { ...rest, route } : rest)),
  accessories: [database],
});

function specsOf(of: Environment): ContainerSpec[] {
  const versions = { PASSWORD: 'aaaaaaaa', TOKEN: 'bbbbbbbb' };
  return containerSpecs({ app: 'shop', environment: of, release: release('1.4.0'), versions });
}

const { port: _, ...withoutPort } = database;
const recorded: RecordedRevision = {
  app: 'shop',
  environment: 'prod',
  number: 12,
  release: release('1.4.0'),
  containers: specsOf(prod).map(withoutVersions),
  accessories: [withoutPort],
  edge: { image: 'registry.example.com/edge:2', limits: { connections: 100 } },
  migration: { command: ['migrate'], timeout: 60_000, secrets: ['PASSWORD'], env: {}, version: '1.4.0' },
  hosts: ['prod-1', 'prod-2'],
  insecureRegistries: [],
};

const here: HereFacts = { platform: 'linux/amd64', emulates: [], taken: new Map() };

function planned(changes: Partial<ReproductionInputs> = {}) {
  const inputs = { of: recorded, name: 'prod-here', host: host('here'), engine: here, scale: {}, secrets: {} };
  return planReproduction({ ...inputs, ...changes });
}

/** A container without what follows from where it runs. */
function content(spec: ContainerSpec): object {
  const {
    name: _name,
    alias: _alias,
    host: _host,
    neighbours: _neighbours,
    env,
    route,
    ...rest
  } = withoutVersions(spec);
  const { LOCKAGE_ENVIRONMENT: _environment, LOCKAGE_HOST: _place, ...variables } = env;
  return { ...rest, env: variables, port: route?.port };
}

describe('a reproduction', () => {
  test('runs each role once, as it is recorded to the last field', () => {
    const specs = specsOf(reproducedEnvironment(planned()));
    const firsts = ['web', 'worker'].map((name) => recorded.containers.find((spec) => spec.role === name));
    expect(specs.map(content)).toEqual(firsts.map((spec) => spec && content(spec)));
    expect(specs[0]?.env).toMatchObject({ DB_HOST: 'db', DB_PORT: '5432', LOCKAGE_ENVIRONMENT: 'prod-here' });
    expect(specs.flatMap(({ neighbours }) => Object.keys(neighbours ?? {}))).toEqual([]);
  });

  test('runs what a swarm ran as services as containers', () => {
    const swarm = { kind: 'swarm' as const, name: 'prod', managers: [host('prod-1')] };
    const roles = prod.roles.map((each) => ({ ...each, hosts: ['prod'] }));
    const containers = specsOf({ ...prod, roles, orchestrator: swarm }).map(withoutVersions);
    expect(containers.map(({ replicas }) => replicas)).toEqual([2, 1]);
    const of = { ...recorded, containers, swarm: 'prod' };
    const specs = specsOf(reproducedEnvironment(planned({ of })));
    expect(specs.map(({ role: name, host: on, replicas }) => [name, on, replicas])).toEqual([
      ['web', 'here', undefined],
      ['worker', 'here', undefined],
    ]);
  });

  test('has its accessories, edge and migration on the one host, and its secrets in files of its own', () => {
    const made = reproducedEnvironment(planned());
    expect(made.accessories).toEqual([{ ...withoutPort, host: 'here' }]);
    expect(made.edge).toEqual({ limits: { connections: 100 } });
    expect(made.migration).toEqual({ command: ['migrate'], timeout: 60_000, secrets: ['PASSWORD'], env: {} });
    expect(made.secrets).toEqual({ PASSWORD: { file: 'secrets/PASSWORD' }, TOKEN: { file: 'secrets/TOKEN' } });
    expect([made.after, made.same, made.reproduces]).toEqual([[], [], { environment: 'prod', revision: 12 }]);
  });

  test('has as many containers as --scale says, and the earlier number where it says nothing', () => {
    const two = planned({ scale: { web: 2 } });
    expect(specsOf(reproducedEnvironment(two)).map(({ role: name }) => name)).toEqual(['web', 'web', 'worker']);
    expect(planned({ before: two }).counts).toEqual({ web: 2 });
    expect(refusal(() => planned({ scale: { wep: 2 } }))).toBe(
      'prod has no role wep, did you mean web? | there are web, worker',
    );
  });

  test.each<[string, number[], Record<string, number>]>([
    ['where it was', [], { 80: 80 }],
    ['above 8000 where it was below 1024 and is taken', [80], { 80: 8080 }],
    ['further up where these are taken', [80, 8080, 8081], { 80: 8082 }],
  ])('has its port %s', (_name, taken, ports) => {
    const engine = { ...here, taken: new Map(taken.map((port) => [port, 'container shop-dev-edge'])) };
    expect(planned({ engine }).ports).toEqual(ports);
  });

  test('keeps its ports when it is made once more, and asks about all that it may get', () => {
    const engine = { ...here, taken: new Map([[80, 'container shop-dev-edge']]) };
    const before = planned({ engine });
    expect(planned({ before }).ports).toEqual({ 80: 8080 });
    expect(portsInQuestion(recorded)).toEqual(expect.arrayContaining([80, 8080, 8119]));
    const all = new Map(portsInQuestion(recorded).map((port) => [port, 'somebody']));
    expect(refusal(() => planned({ engine: { ...here, taken: all } }))).toMatch(
      /^no port is free here in place of 80 \|/,
    );
  });

  test('is refused on an engine of another platform, unless that emulates it', () => {
    expect(refusal(() => planned({ engine: { ...here, platform: 'linux/arm64' } }))).toMatch(
      /^prod runs images for linux\/amd64, and the engine here is linux\/arm64 \|/,
    );
    const emulating = { ...here, platform: 'linux/arm64', emulates: ['linux/amd64'] };
    expect(reproducedEnvironment(planned({ engine: emulating })).emulates).toBe('linux/amd64');
    expect(planned().emulates).toBeUndefined();
  });

  test('of several platforms runs the one that the registry has for the engine, or one that it emulates', () => {
    const digest: `sha256:${string}` = `sha256:${'e'.repeat(64)}`;
    const platforms = { 'linux/amd64': digest, 'linux/arm64': digest };
    const of = { ...recorded, release: { ...recorded.release, platforms } };
    const other = { ...here, platform: 'linux/riscv64' };
    expect(reproducedRelease(planned({ of, engine: { ...other, isNative: true } }))).toEqual({
      ...recorded.release,
      platform: 'linux/riscv64',
    });
    expect(planned({ of, engine: { ...other, emulates: ['linux/arm64'] } }).emulates).toBe('linux/arm64');
    expect(refusal(() => planned({ of, engine: other }))).toMatch(/^prod runs images for linux\/amd64, linux\/arm64, /);
  });

  test('runs the image for the engine’s platform where the digest has one for each', () => {
    const native = planned({ engine: { ...here, platform: 'linux/arm64', isNative: true } });
    expect([native.emulates, reproducedRelease(native)]).toEqual([
      undefined,
      { ...recorded.release, platform: 'linux/arm64' },
    ]);
    const rows = reproductionDifferences(native, { original: [], here: {}, taken: new Map() });
    expect(rows).toContainEqual(
      expect.objectContaining({ what: 'platform', original: 'linux/amd64', here: 'linux/arm64' }),
    );
    expect(reproducedRelease(planned())).toBe(recorded.release);
  });

  test('takes no name that something else has, and none that is no name', () => {
    const other = planned({ of: { ...recorded, environment: 'uat' } });
    expect(refusal(() => planned({ before: other }))).toMatch(
      /^prod-here reproduces uat of shop \| Give this one another/,
    );
    const elsewhere = planned({ host: host('there') });
    expect(refusal(() => planned({ before: elsewhere }))).toMatch(/^prod-here runs on another engine: unix:/);
    expect(reproductionName('prod')).toBe('prod-here');
    expect(reproductionName('prod', 'mine')).toBe('mine');
    for (const name of ['Mine', '../x', 'a'.repeat(41), 'releases', 'x-foundation']) {
      expect(refusal(() => reproductionName('prod', name))).toMatch(/cannot be the name of an environment/);
    }
  });

  test('tells what differs, and why', () => {
    const taken = new Map([[80, 'container shop-dev-edge']]);
    const reproduction = planned({ engine: { ...here, taken }, secrets: { TOKEN: 'file', PASSWORD: 'generated' } });
    const original = [{ environment: 'prod', host: 'prod-1', traits: { architecture: 'amd64', engine: '24.0.7' } }];
    const traits = { architecture: 'amd64', engine: '20.10.24', 'kernel.minor': '6.1' };
    const rows = reproductionDifferences(reproduction, { original, here: traits, taken });
    expect(rows.map(({ what, of = '', original: was, here: is }) => [what, of, was, is].join(' | '))).toEqual([
      'hosts |  | prod-1, prod-2 | unix:///run/here.sock',
      'containers | web | 4 | 1',
      'port | 80 | 80 | 8080',
      'variable | LOCKAGE_ENVIRONMENT | prod | prod-here',
      'variable | LOCKAGE_HOST | prod-1, prod-2 | here',
      'secret | PASSWORD | of prod | generated here',
      'secret | TOKEN | of prod | from the file that was given',
      'data | db | its own | empty at its start',
      'kernel |  | unknown | 6.1',
      'engine |  | 24.0.7 | 20.10.24',
    ]);
    expect(rows.find(({ what }) => what === 'port')?.why).toBe('container shop-dev-edge has it');
    expect(rows.every(({ why }) => why.length > 0)).toBe(true);
  });

  test('says so where the hosts of the original are not known, its migration is another one’s, or it is emulated', () => {
    const migration = { command: [], timeout: 1, secrets: [], env: {}, version: '1.3.0' };
    const emulating = { ...here, platform: 'linux/arm64', emulates: ['linux/amd64'] };
    const reproduction = planned({ of: { ...recorded, migration }, engine: emulating });
    const rows = reproductionDifferences(reproduction, { original: [], here: {}, taken: new Map() });
    expect(rows.map(({ what, here: is }) => [what, is])).toEqual(
      expect.arrayContaining([
        ['migration', 'the command of 1.3.0'],
        ['platform', 'linux/amd64, emulated'],
        ['kernel', 'unknown'],
      ]),
    );
  });
});

describe('the record of a revision', () => {
  test('is the same after it was written and read, and has no version of a secret', () => {
    const text = textOfRecorded(recorded);
    expect(recordedOf(text, 'prod.lockage')).toEqual(JSON.parse(JSON.stringify(recorded)));
    expect(text).not.toMatch(/aaaaaaaa|bbbbbbbb/);
    expect(secretsOf(recorded)).toEqual(['PASSWORD', 'TOKEN']);
  });

  test.each(['it writes its cache\n', 'its caches\nand its\ttemporary files', 'as \u{1f469}\u200d\u{1f4bb} said'])(
    'has the reason of an exception as it was written: %j',
    (reason) => {
      const [first, ...others] = recorded.containers;
      const hardening = { ...first?.hardening, readOnly: false, reasons: { readOnly: reason } };
      const containers = [{ ...first, hardening }, ...others] as typeof recorded.containers;
      const found = recordedOf(textOfRecorded({ ...recorded, containers }), 'prod.lockage');
      expect(found.containers[0]?.hardening.reasons).toEqual({ readOnly: reason });
    },
  );

  test.each<[string, object | string, RegExp]>([
    ['of a later format', { ...recorded, format: 2 }, /has format 2, and 1 is known here/],
    ['without its containers', { ...recorded, format: 1, containers: undefined }, /its record is not as/],
    ['with a name that leads elsewhere', { ...recorded, format: 1, app: '../shop' }, /app: is no name/],
    [
      'with a secret whose name leads elsewhere',
      { ...recorded, format: 1, accessories: [{ ...withoutPort, secrets: ['../key'] }] },
      /accessories.0.secrets.0: is no name of a secret/,
    ],
    ['that is none', 'no JSON', /its record is no JSON/],
  ])('is refused %s', (_name, content_, message) => {
    const text = typeof content_ === 'string' ? content_ : JSON.stringify(content_);
    expect(refusal(() => recordedOf(text, 'prod.lockage'))).toMatch(message);
  });
});

describe('the revision that a name stands for', () => {
  const ledger = { revisions: [revision(1, '1.0.0'), revision(2, '1.1.0'), failed(3, '1.2.0'), revision(4, '1.0.0')] };

  test.each<[string, number]>([
    ['prod', 4],
    ['prod@2', 2],
    ['prod@1.0.0', 4],
    ['prod@1.1.0', 2],
  ])('%s is revision %i', (text, number) => {
    expect(chooseRevision(ledger, parseRevisionName(text)).number).toBe(number);
  });

  test.each<[string, string]>([
    ['prod@3', 'revision 3 of prod never served: it is failed | `lockage history prod` lists what ran there.'],
    ['prod@9', 'prod has no revision 9 | `lockage history prod` lists what ran there.'],
    ['prod@1.2.0', 'prod never ran 1.2.0 well | `lockage history prod` lists what ran there.'],
    ['prod@latest', expect.stringMatching(/^"prod@latest" names no revision \|/)],
  ])('%s is refused', (text, message) => {
    expect(refusal(() => chooseRevision(ledger, parseRevisionName(text)))).toEqual(message);
  });

  test('is none where nothing runs yet', () => {
    expect(refusal(() => chooseRevision({ revisions: [] }, { environment: 'prod' }))).toMatch(/^prod runs nothing yet/);
  });
});
