import { expect, test } from 'vitest';
import { loadConfiguration } from '../../../pipelines/config/load.ts';
import { LockageError } from '../../../pipelines/errors.ts';
import { environmentNamed, upstream } from '../../../pipelines/model/pipeline.ts';

const names = ['dev', 'qa', 'load', 'prod'];
const project = loadConfiguration(
  [
    {
      path: 'lockage.yaml',
      text: `app: shop
repository: registry.example.com/shop
pipeline: [dev, { name: qa, after: [dev] }, { name: load, after: [dev] }, { name: prod, after: [qa, load] }]
roles: { web: { port: 8080 } }
`,
    },
    ...names.map((name) => ({ path: `environments/${name}.yaml`, text: `targets: [ssh://${name}.example.com]\n` })),
  ],
  '/srv/shop',
);
const namesOf = (environments: readonly { name: string }[]) => environments.map(({ name }) => name);

test('an environment by its name', () => {
  expect(environmentNamed(project, 'qa').after).toEqual(['dev']);
});

test('a name that is not there lists those that are', () => {
  const error = (() => {
    try {
      return environmentNamed(project, 'prdo');
    } catch (thrown) {
      return thrown;
    }
  })() as LockageError;
  expect(error).toBeInstanceOf(LockageError);
  expect(error.message).toBe('no environment "prdo" in shop, did you mean prod?');
  expect(error.hint).toBe('Environments of shop: dev, qa, load, prod.');
});

test('what comes before', () => {
  expect(namesOf(upstream(project, environmentNamed(project, 'prod')))).toEqual(['qa', 'load']);
});
