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
    Ulimits: [{ Name: 'nofile', Soft: 337, Hard: 337 }],
    PidsLimit: 4096,
  });
});

test('requests under way are limited by what is set, else by memory, and each port has its share', () => {
  const configOf = (limits: object) => (edgeBody({ ...place, ports: [80, 81], limits }).Env ?? []).join('\n');
  expect(configOf({})).toContain('"max_requests":531}');
  expect(configOf({ connections: 100 })).toContain('"max_requests":50}');
  const { HostConfig } = edgeBody({ ...place, ports: [80], limits: { connections: 100_000 } });
  expect(HostConfig?.Ulimits).toEqual([{ Name: 'nofile', Soft: 200_064, Hard: 200_064 }]);
});

test.each([64, 128, 256, 1024])('of %i MiB, what visitors take leaves room for the program itself', (size) => {
  const { Env = [], HostConfig } = edgeBody({ ...place, ports: [80], limits: { memory: size * mebibyte } });
  const collects = Number(Env.find((variable) => variable.startsWith('GOMEMLIMIT='))?.slice(11));
  const files = HostConfig?.Ulimits?.[0]?.Hard ?? 0;
  const requests = Number(/"max_requests":(\d+)/.exec(Env.join('\n'))?.[1]);
  // 36 MiB of the program are in use when nobody asks anything.
  expect(size * mebibyte - collects).toBeGreaterThan(40 * mebibyte);
  // What was measured: 28 KiB a connection that waits, 100 KiB a request with both of its connections.
  const most = requests * 100 * 1024 + Math.max(0, files - 2 * requests) * 28 * 1024;
  expect(most).toBeLessThan((size - 40 - 12) * mebibyte);
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
