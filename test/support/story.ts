/**
 * The promises that hold on every kind of target, as tests: a release follows another under load, also when its
 * command was killed; one that is never healthy is refused; a rollback is a switch; and destroying leaves nothing.
 * Each continues where the one before ended.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { startLoad, type Load } from '../../scripts/load/load.ts';
import type { Snapshot, TestProject } from './pipeline-fixture.ts';

export interface Stage {
  readonly project: () => TestProject;
  readonly environment: string;
  /** ms for a test */
  readonly timeout: number;
  /** requests a second; fewer for an emulated machine */
  readonly rate?: number;
  /** those behind each address, if they are several */
  readonly containers?: number;
}

/** The behaviour of each release; the last one is healthy only in the environment before, which is `dev`. */
export const storyReleases = { '1.0.0': {}, '1.1.0': {}, '1.2.0': { healthyIn: 'dev' } };

/** Tests the promises. Ends with 1.0.0 serving, and a hold. */
export function promisesHold({ project, environment, timeout, rate = 50, containers = 1 }: Stage): void {
  let urls: string[];
  let load: Load | undefined;

  afterAll(async () => load?.stop());

  const lockage = async (words: readonly string[], env = {}) =>
    project().start([...words, '--yes', '--json'], env, timeout).ended;
  const promote = async (version: string, code: number) => {
    const result = await lockage(['promote', version, '--to', environment]);
    expect(result.code, result.stderr).toBe(code);
    return result;
  };
  const serves = async (version: string) => {
    expect(await project().versions(environment, urls)).toEqual(urls.map(() => version));
    const ready = { version, problems: [], hosts: { ready: urls.length, total: urls.length } };
    const status = async () => (await project().succeed('status', '--env', environment)).json;
    // An emulated machine may be too busy to answer status at the first attempt.
    await expect.poll(status, { timeout: 20_000, interval: 500 }).toMatchObject(ready);
  };

  test('a second release follows the first, also when its command was killed on the way', { timeout }, async () => {
    await promote('1.0.0', 0);
    const { hosts } = (await project().succeed('host', 'ls', environment)).json;
    urls = hosts.map(({ address }: { address: string }) => `http://${address}:8000/`);
    await serves('1.0.0');
    load = await startLoad({ urls, rate, connections: 'both' });
    const killed = await lockage(['promote', '1.1.0', '--to', environment], {
      LOCKAGE_FAILPOINT: 'after:verification',
    });
    expect(killed.signal, killed.stderr).toBe('SIGKILL');
    await promote('1.1.0', 0);
    await serves('1.1.0');
  });

  if (containers > 1) {
    test('requests are spread evenly over its containers', { timeout }, async () => {
      for (const url of urls) {
        const shares = await sharesOf(url, 600);
        expect(shares).toHaveLength(containers);
        for (const share of shares) expect(Math.abs(share * containers - 1), String(shares)).toBeLessThan(0.3);
      }
    });
  }

  test('a release that is never healthy is refused, and the one before serves on', { timeout }, async () => {
    const { json } = await promote('1.2.0', 3);
    expect(json.error.message).toMatch(/web 1\.2\.0 was not healthy within/);
    await serves('1.1.0');
  });

  test('a rollback is a switch, and none of all this failed a request', { timeout }, async () => {
    const back = await project().succeed('rollback', environment);
    // Only a switch to a standby says when the traffic was back; how long that takes is measured in the benchmark.
    expect(back.json.trafficBack).toBeGreaterThan(0);
    await serves('1.0.0');
    const stats = await load?.stop();
    expect(stats, JSON.stringify(stats?.failures)).toMatchObject({ failed: 0 });
    expect(stats?.sent).toBeGreaterThan(5 * rate);
  });
}

/** Tests that nothing is left. `before` is what its hosts had before anything was promoted to it. */
export function nothingIsLeft({ project, environment, timeout }: Stage, before: () => Snapshot): void {
  test('nothing is left of what is destroyed', { timeout }, async () => {
    await project().succeed('destroy', environment, '--volumes');
    // A swarm's node forgets ended containers at some later time.
    await expect
      .poll(async () => ownOf(await project().snapshot(environment)), { timeout: 20_000 })
      .toEqual(ownOf(before()));
    for (const folder of ['machines', 'machine-keys', 'fronts']) {
      const names = await readdir(join(project().folder, '.lockage', folder)).catch(() => []);
      expect(names.filter((name) => name.includes(environment))).toEqual([]);
    }
    // An ssh connection to a host that stays is kept for the next command.
    const left = await project().leftProcesses(2000);
    expect(left.filter((line) => !/ ssh -M /.test(line))).toEqual([]);
  });
}

/** Returns the share of requests that each container answered, of visitors who keep their connections. */
async function sharesOf(url: string, count: number): Promise<number[]> {
  const answered = new Map<string, number>();
  let left = count;
  const visit = async () => {
    while ((left -= 1) >= 0) {
      const { container } = (await (await fetch(url)).json()) as { container: string };
      answered.set(container, (answered.get(container) ?? 0) + 1);
    }
  };
  await Promise.all([visit(), visit(), visit()]);
  return [...answered.values()].map((answers) => answers / count);
}

/** Returns a snapshot without the networks that a swarm makes on a node by itself, the first time it needs them. */
function ownOf(snapshot: Snapshot) {
  const kept = (networks: readonly string[]) => networks.filter((name) => !/^(docker_gwbridge|ingress)$/.test(name));
  return Object.entries(snapshot).map(([host, seen]) => ({ host, ...seen, networks: kept(seen.networks) }));
}
