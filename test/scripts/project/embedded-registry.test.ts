import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { createArguments, EmbeddedRegistry, inspectedIn } from '../../../scripts/project/embedded-registry.ts';

afterEach(() => vi.unstubAllEnvs());

test('the registry of this computer is reached from nowhere else, and no folder of it is mounted', () => {
  const words = createArguments('lockage-registry', 'registry:3', 15_050);
  const valuesOf = (option: string) => words.filter((_, index) => words[index - 1] === option);
  expect(valuesOf('--publish')).toEqual(['127.0.0.1:15050:5000']);
  expect(valuesOf('--mount')).toEqual(['type=volume,source=lockage-registry,target=/var/lib/registry']);
  expect(words.filter((word) => /^(-v|--volume|-p|-P|--publish-all|--network|--privileged)$/.test(word))).toEqual([]);
});

test('without Docker it is said that it needs Docker, or a repository', async () => {
  const empty = await mkdtemp(join(tmpdir(), 'lockage-path-'));
  vi.stubEnv('PATH', empty);
  try {
    const told: string[] = [];
    const registry = new EmbeddedRegistry({ tell: (text) => void told.push(text) });
    await expect(registry.running()).rejects.toMatchObject({
      name: 'LockageError',
      details: ['docker is not installed'],
      hint: expect.stringContaining('`repository: REPOSITORY`'),
    });
    expect(told).toEqual([]);
  } finally {
    await rm(empty, { recursive: true });
  }
});

test.each([
  '',
  'null',
  '[]',
  '<html>',
  '{"Id":"a"}',
  '{"Id":"a","State":{"Running":"yes"},"Config":null,"HostConfig":{}}',
])('what prints %j in the place of the container is not Docker, and it is said', (printed) => {
  expect(() => inspectedIn(printed)).toThrow(
    expect.objectContaining({
      name: 'LockageError',
      details: [expect.stringContaining('`docker container inspect` printed something else')],
    }),
  );
});

test('of the container, what nobody set may be null', () => {
  const State = { Running: true };
  const printed = { Id: 'a', State, Config: { Image: 'registry:3', Labels: null }, HostConfig: { PortBindings: null } };
  expect(inspectedIn(JSON.stringify(printed))).toMatchObject({ State: { Paused: false }, Config: { Labels: {} } });
});
