import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { recordedRevision } from '../../../infra/adapters/recorded-revision.ts';
import { RecordsAdapter } from '../../../infra/adapters/records.ts';
import { packed } from '../../../infra/resources/packing.ts';
import { textOfRecorded } from '../../../pipelines/model/recorded-revision.ts';
import { failed, host, release, revision, spec } from '../../pipelines/model/values.ts';

const project = {
  ...{ app: 'shop', repository: 'registry.example.com/shop', edgeImage: 'registry.example.com/edge:3' },
  insecureRegistries: ['10.0.0.1:5000'],
};
const place = { app: 'shop', environment: 'prod' };
const secrets = { TOKEN: 'aaaaaaaa' };
const env = { TOKEN_FILE: '/run/secrets/TOKEN', LOCKAGE_HOST: 'prod-1', LEVEL: 'info' };
const web = spec('web-1.4.0', 'prod-1', { secrets, env });
const migration = spec('migration-1.4.0', 'prod-1', { secrets, env, command: ['migrate'], role: 'migration' });
// It was released before the project named a repository.
const embedded = { ...release('1.3.0'), repository: 'embedded.lockage.internal/shop-0123abcd' };
const first = revision(1, '1.3.0', { release: embedded });
const stoodOn = {
  accessories: [],
  edge: { image: `registry.example.com/edge@sha256:${'1'.repeat(64)}`, limits: { connections: 9 } },
  migration: { command: ['migrate', 'early'], timeout: 1000, secrets: [], env: {}, version: '1.3.5' },
};
const earlier = { ...revision(1, '1.3.5', { stoodOn }), number: 0 };
const ledger = { revisions: [earlier, first, revision(2, '1.4.0', { containers: [web] }), failed(3, '1.5.0')] };

/** What a state has of prod: its stack, and that of its foundation. */
const stacks: Readonly<Record<string, readonly [type: string, inputs: object][]>> = {
  prod: [
    ['Ledger', { ...place, revisions: JSON.stringify(ledger.revisions) }],
    ['Container', { ...place, host: host('prod-1'), spec: web }],
    ['Migration', { ...place, host: host('prod-1'), spec: migration, timeout: 60_000 }],
    ['Secret', { ...place, secret: 'TOKEN', version: 'aaaaaaaa', sealed: 'v1.sealed' }],
  ],
  'prod-foundation': [
    [
      'Edge',
      {
        ...{ ...place, host: host('prod-1'), ports: [80], limits: { connections: 50 }, proxies: ['10.0.0.9'] },
        ...{
          image: 'x',
          configured: 'edge:2',
          pinned: `registry.example.com/edge@sha256:${'e'.repeat(64)}`,
          spec: 's',
        },
      },
    ],
    [
      'Accessory',
      {
        ...{
          ...place,
          host: host('prod-1'),
          name: 'db',
          env: { PGDATA: '/data' },
          memory: 512,
          shmSize: 64,
          ulimits: { memlock: { soft: -1, hard: -1 } },
          stopSignal: 'SIGINT',
          spec: 's',
        },
        ...{ image: 'x', configured: 'postgres:16', pinned: `docker.io/library/postgres@sha256:${'d'.repeat(64)}` },
        secrets: { volume: 'shop-prod-db.key.secrets', names: ['PASSWORD'] },
        volumes: { 'shop-prod-db-data': '/data' },
        health: { command: ['pg_isready'], timeout: 30_000 },
      },
    ],
    ['SecretFiles', { ...place, host: host('prod-1'), volume: 'shop-prod-db.key.secrets', image: 'x', user: '999' }],
  ],
  releases: [],
};

let folder: string;
let records: RecordsAdapter;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockage-recorded-'));
  const stacksFolder = join(folder, '.pulumi/stacks/shop');
  mkdirSync(stacksFolder, { recursive: true });
  for (const [stack, resources] of Object.entries(stacks)) {
    const written = resources.map(([type, inputs]) => ({
      urn: type,
      type: `lockage:index:${type}`,
      inputs: packed(inputs),
    }));
    const text = JSON.stringify({ version: 3, checkpoint: { latest: { resources: written } } });
    writeFileSync(join(stacksFolder, `${stack}.json`), text);
  }
  // No passphrase, and nothing that could start Pulumi.
  const settings = { backend: `file://${folder}`, passphrase: '', folder };
  records = new RecordsAdapter(settings, 'shop', {} as never, () => Promise.reject(new Error('nothing is changed')));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('a revision is read out of the state as it is recorded, without a passphrase and without anything of a secret', async () => {
  const before = readFileSync(join(folder, '.pulumi/stacks/shop/prod.json'), 'utf8');
  const { recorded, targets } = await recordedRevision(records, project, { environment: 'prod' });
  expect(recorded).toMatchObject({
    ...{ app: 'shop', environment: 'prod', number: 2, hosts: ['prod-1'], insecureRegistries: ['10.0.0.1:5000'] },
    release: { version: '1.4.0' },
    containers: [{ ...web, secrets: { TOKEN: '' } }],
    edge: {
      ...{ image: `registry.example.com/edge@sha256:${'e'.repeat(64)}`, limits: { connections: 50 } },
      trustedProxies: ['10.0.0.9'],
    },
    migration: { command: ['migrate'], timeout: 60_000, secrets: ['TOKEN'], env: { LEVEL: 'info' }, version: '1.4.0' },
  });
  expect(recorded.accessories).toEqual([
    {
      ...{ name: 'db', image: `docker.io/library/postgres@sha256:${'d'.repeat(64)}`, host: 'prod-1', memory: 512 },
      ...{ env: { PGDATA: '/data' }, secrets: ['PASSWORD'], secretsOwner: '999', shmSize: 64 },
      ...{ ulimits: { memlock: { soft: -1, hard: -1 } }, stopSignal: 'SIGINT' },
      ...{ volumes: { data: '/data' }, health: { command: ['pg_isready'], timeout: 30_000 } },
    },
  ]);
  expect(targets.map(({ name }) => name)).toEqual(['prod-1']);
  expect(textOfRecorded(recorded)).not.toMatch(/sealed|aaaaaaaa/);
  expect(readFileSync(join(folder, '.pulumi/stacks/shop/prod.json'), 'utf8')).toBe(before);
});

test('an earlier revision is one as well, and an environment of which nothing is recorded is named', async () => {
  const { recorded } = await recordedRevision(records, project, { environment: 'prod', at: '1.3.0' });
  expect([recorded.number, recorded.release]).toEqual([1, release('1.3.0')]);
  // It was recorded before what it stood on was.
  expect([recorded.standsOnLater, recorded.accessories.map(({ name }) => name)]).toEqual([true, ['db']]);
  await expect(recordedRevision(records, project, { environment: 'prot' })).rejects.toMatchObject({
    message: expect.stringContaining('nothing is recorded of an environment "prot" of shop'),
    details: ['recorded is prod'],
  });
});

test('an earlier revision stands on what it stood on, whatever stands there now', async () => {
  const { recorded } = await recordedRevision(records, project, { environment: 'prod', at: '1.3.5' });
  expect(recorded).toMatchObject(stoodOn);
  expect([recorded.number, recorded.standsOnLater]).toEqual([0, undefined]);
});
