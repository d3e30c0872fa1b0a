import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './engine-fixture.ts';

export const registryUser = { username: 'tester', password: 's3cret-canary' };

/** bcrypt of the password above */
const passwordLine = 'tester:$2y$05$abcdefghijklmnopqrstuullx5kP6GYZcFnepqhmI2H03s5Hsbhlm';

/** A real docker-registry on a free loopback port, empty; with `login` it demands the credentials above, and with `keeps` it allows no deletion. */
export class TestRegistry {
  readonly address: string;
  readonly #folder: string;
  readonly #config: string;
  #process: ChildProcess | undefined;

  private constructor(address: string, folder: string) {
    this.address = address;
    this.#folder = folder;
    this.#config = join(folder, 'config.yml');
  }

  static async start(options: { readonly login?: boolean; readonly keeps?: boolean } = {}): Promise<TestRegistry> {
    const folder = await mkdtemp(join(tmpdir(), 'lockage-registry-'));
    const registry = new TestRegistry(`127.0.0.1:${await freePort()}`, folder);
    const passwords = join(folder, 'htpasswd');
    await writeFile(passwords, `${passwordLine}\n`);
    const config = {
      version: 0.1,
      log: { level: 'error' },
      storage: { filesystem: { rootdirectory: join(folder, 'data') }, delete: { enabled: !options.keeps } },
      http: { addr: registry.address },
      ...(options.login ? { auth: { htpasswd: { realm: 'test', path: passwords } } } : {}),
    };
    await writeFile(registry.#config, JSON.stringify(config));
    await registry.resume();
    return registry;
  }

  async resume(): Promise<void> {
    this.#process = spawn('docker-registry', ['serve', this.#config], { stdio: 'ignore' });
    for (let tries = 0; tries < 100; tries++) {
      const answer = await fetch(`http://${this.address}/v2/`).catch(() => undefined);
      if (answer) return;
      await sleep(50);
    }
    throw new Error('docker-registry did not start');
  }

  async pause(): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    if (!running || running.exitCode !== null) return;
    running.kill('SIGKILL');
    await once(running, 'exit');
  }

  async stop(): Promise<void> {
    await this.pause();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
