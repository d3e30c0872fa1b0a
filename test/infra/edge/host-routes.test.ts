import { expect, test } from 'vitest';
import { ofFallback, withoutFallback } from '../../../infra/edge/edge.ts';
import { hostRoutes } from '../../../infra/edge/host-routes.ts';
import type { PlacedContainer } from '../../../pipelines/model/desired-state.ts';
import { host, record, spec } from '../../pipelines/model/values.ts';

const route = { publish: 80, port: 8080 };
const containers = (alias: string, count: number): PlacedContainer[] =>
  Array.from({ length: count }, (_, index) => ({
    host: host('prod-1'),
    spec: spec(`${alias}-${index + 1}`, 'prod-1', { alias, route }),
  }));
const setOf = (serving: PlacedContainer[], fallback: PlacedContainer[] = []) =>
  hostRoutes({ serving, fallback, ledger: record([]).ledger })[0]?.set ?? {};

test('a host is told where its ports send to, and how many containers that are', () => {
  expect(setOf(containers('new', 1))).toEqual({ 80: { primary: 'new:8080', fallback: 'new:8080' } });
  expect(setOf(containers('new', 3), containers('old', 2))).toEqual({
    80: { primary: 'new:8080', fallback: 'old:8080', among: 3, fallbackAmong: 2 },
  });
});

test('a service of a swarm is as many containers as it has replicas', () => {
  const service = { host: host('prod-1'), spec: spec('web', 'prod-1', { alias: 'web', route, replicas: 4 }) };
  expect(setOf([service])).toMatchObject({ 80: { among: 4 } });
});

test('a release and the one before it can each be gone to alone', () => {
  const set = setOf(containers('new', 3), containers('old', 2));
  expect(withoutFallback(set)).toEqual(withoutFallback(setOf(containers('new', 3))));
  expect(ofFallback(set)).toEqual(withoutFallback(setOf(containers('old', 2))));
});
