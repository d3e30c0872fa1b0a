import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { Engine } from '../../../infra/docker/api/client.ts';
import { engineContract } from '../../support/engine-contract.ts';
import { Door } from '../../support/simulation/door.ts';
import { SimulatedEngine } from '../../support/simulation/engine.ts';
import { Programs } from '../../support/simulation/programs.ts';

const folder = mkdtempSync(join(tmpdir(), 'lockage-simulated-'));
const simulated = new SimulatedEngine({ name: 'here', folder: join(folder, 'here'), programs: new Programs(folder) });
const socketPath = join(folder, 'docker.sock');
const engine = new Engine({ host: 'here', socketPath });
let door: Door;

beforeAll(async () => {
  simulated.images.add({ id: 'sha256:shell', names: ['contract:1'], config: { Cmd: ['sleep', '3600'] } });
  door = await Door.open(simulated, socketPath);
});
afterAll(() => {
  engine.close();
  door.close();
  simulated.close();
  rmSync(folder, { recursive: true, force: true });
});

/** test/real/engine-contract.test.ts has the same sentences about a real engine. */
describe('a simulated engine', () => {
  engineContract({
    engine,
    image: 'contract:1',
    prefix: 'contract',
    pause: async (name, isPaused) => simulated.pause(simulated.container(name), isPaused),
    port: async () => 8080,
  });
});
