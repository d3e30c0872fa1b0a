import { expect, test } from 'vitest';
import { formerVersion, SecretKey } from '../../../infra/context/secret-key.ts';
import { SecretValues } from '../../../infra/context/secret-values.ts';
import type { Project } from '../../../pipelines/model/environment.ts';
import { SecretStore } from '../../../scripts/project/secret-store.ts';
import { Redactor } from '../../../scripts/tools/redactor.ts';
import { environment, role } from '../../pipelines/model/values.ts';

const passphrase = 'a passphrase';
const key = new SecretKey('shop', passphrase);
process.env['STORE_TEST_TOKEN'] = 'the value';

const told: string[] = [];

function store(values = new SecretValues(key)): SecretStore {
  const project = { app: 'shop', root: '/' } as Project;
  return new SecretStore({
    project,
    settings: { backend: '', passphrase, folder: '/' },
    values,
    redactor: new Redactor(),
    tell: (text) => void told.push(text),
  });
}

const prod = environment({
  roles: [role({ secrets: ['TOKEN'] })],
  secrets: { TOKEN: { env: 'STORE_TEST_TOKEN' } },
});

test('a value keeps the version that an earlier Lockage recorded of it', async () => {
  const former = formerVersion('the value', 'shop', passphrase);
  const values = new SecretValues(key);
  expect(await store(values).read(prod, { TOKEN: former })).toEqual({ TOKEN: former });
  expect(values.get('TOKEN', former)).toBe('the value');
});

test('a value that changed, or is new, has a version that no fast step gives', async () => {
  const version = await key.versionOf('the value');
  expect(await store().read(prod)).toEqual({ TOKEN: version });
  expect(await store().read(prod, { TOKEN: formerVersion('earlier', 'shop', passphrase) })).toEqual({ TOKEN: version });
  expect(await store().read(prod, { TOKEN: version })).toEqual({ TOKEN: version });
});

test('a value that is too short to be masked is told', async () => {
  process.env['STORE_TEST_TOKEN'] = 'abc';
  await store().read(prod);
  process.env['STORE_TEST_TOKEN'] = 'the value';
  await store().read(prod);
  expect(told).toEqual(['secret TOKEN has less than 4 characters: it is masked nowhere']);
});
