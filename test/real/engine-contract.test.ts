import { afterAll, beforeAll, describe } from 'vitest';
import { engineContract } from '../support/engine-contract.ts';
import { docker, freePort, importShellImage, openEngine, removeAll, testPrefix } from '../support/engine-fixture.ts';

const prefix = testPrefix();
const image = `${prefix}:1`;
const engine = openEngine();

beforeAll(() => importShellImage(image, prefix), 60_000);
afterAll(async () => {
  await removeAll(prefix);
  engine.close();
});

/** test/infra/docker/simulated-engine.test.ts has the same sentences about a simulated engine. */
describe('a real engine', () => {
  engineContract({
    ...{ engine, image, prefix, port: freePort },
    pause: (name, isPaused) => docker(isPaused ? 'pause' : 'unpause', name),
  });
});
