import { expect, test } from 'vitest';
import { edgeBody } from '../../../infra/workloads/foundation/edge-container.ts';

const place = { app: 'shop', environment: 'prod' };
const mebibyte = 2 ** 20;

test('an edge has all of the processor unless a share is set, and memory within limits', () => {
  const { HostConfig } = edgeBody({ ...place, ports: [80] });
  expect(HostConfig).not.toHaveProperty('NanoCpus');
  expect(HostConfig).toMatchObject({ Memory: 256 * mebibyte, MemorySwap: 256 * mebibyte });
  expect(edgeBody({ ...place, ports: [80], limits: { memory: 64 * mebibyte, cpus: 0.5 } }).HostConfig).toMatchObject({
    ...{ Memory: 64 * mebibyte, MemorySwap: 64 * mebibyte, NanoCpus: 5e8 },
    Ulimits: [{ Name: 'nofile', Soft: 2048, Hard: 2048 }],
    PidsLimit: 4096,
  });
});

test('requests under way are limited by what is set, else by memory, and each port has its share', () => {
  const configOf = (limits: object) => (edgeBody({ ...place, ports: [80, 81], limits }).Env ?? []).join('\n');
  expect(configOf({})).toContain('"max_requests":1024}');
  expect(configOf({ connections: 100 })).toContain('"max_requests":50}');
  const { HostConfig } = edgeBody({ ...place, ports: [80], limits: { connections: 100_000 } });
  expect(HostConfig?.Ulimits).toEqual([{ Name: 'nofile', Soft: 200_256, Hard: 200_256 }]);
});

test('an edge of a hundred ports can be started: no variable is longer than Linux takes', () => {
  const { Env = [], Entrypoint } = edgeBody({
    ...place,
    ports: Array.from({ length: 100 }, (_, index) => 8000 + index),
  });
  expect(Math.max(...Env.map((variable) => Buffer.byteLength(variable)))).toBeLessThan(128 * 1024);
  const parts = Env.filter((variable) => variable.startsWith('EDGE_CONFIG_'));
  const names = parts.map((variable) => variable.slice(0, variable.indexOf('=')));
  expect(String(Entrypoint)).toContain(names.map((name) => `"$${name}"`).join(' '));
  const config = JSON.parse(parts.map((variable) => variable.slice(variable.indexOf('=') + 1)).join(''));
  expect(Object.keys(config.apps.http.servers)).toHaveLength(100);
});
