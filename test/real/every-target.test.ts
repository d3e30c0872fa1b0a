import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hostRecipe, machineImage } from '../../infra/machines/image.ts';
import { startLoad, type Load } from '../../scripts/load.ts';
import { cacheDir } from '../../scripts/setup/cache.ts';
import { labsWork, setupTime, TrialPipeline, type Snapshot } from '../support/pipeline-fixture.ts';

/** Everything that makes and starts machines, also on a computer that is busy with other things: ms. */
const making = 240_000;

/** Each is an environment of the same pipeline: only its `targets` differ. Machines of its own are none of the lab. */
const kinds: readonly { readonly kind: string; readonly machines?: object }[] = [
  { kind: 'unix' },
  { kind: 'ssh' },
  { kind: 'tls' },
  { kind: 'swarm' },
  { kind: 'lxc', machines: { kind: 'lxc', count: 2, memory: '512MiB' } },
];

/** Without the networks that a swarm makes on a node by itself, the first time that it needs them. */
function own(snapshot: Snapshot) {
  const kept = (networks: readonly string[]) =>
    networks.filter((name) => !['docker_gwbridge', 'ingress'].includes(name));
  return Object.entries(snapshot).map(([host, seen]) => ({ host, ...seen, networks: kept(seen.networks) }));
}

// One story, told of each kind: a test goes on where the one before ended.
describe.runIf(labsWork)('on every kind of target the same promises hold', () => {
  let trial: TrialPipeline;

  beforeAll(async () => {
    await machineImage(join(cacheDir(), 'machine-images'), hostRecipe);
    trial = await TrialPipeline.open({
      environments: {
        dev: { hosts: 1, reach: 'unix' },
        unix: { hosts: 1, reach: 'unix' },
        ssh: { hosts: 2, reach: 'ssh' },
        tls: { hosts: 1, reach: 'tls' },
        swarm: { hosts: 3, reach: 'unix', managers: 3 },
      },
    });
    const health = { path: '/healthz', timeout: '6s' };
    await trial.configure({
      pipeline: ['dev', ...kinds.map(({ kind }) => ({ name: kind, after: ['dev'] }))],
      roles: { web: { port: 8080, publish: 8000, health, stop: '2s' } },
    });
    for (const { kind, machines: targets } of kinds.filter(({ machines }) => machines)) {
      await writeFile(join(trial.folder, `environments/${kind}.yaml`), JSON.stringify({ targets }));
    }
    await trial.configureEnvironment('swarm', { roles: { web: { count: 3 } } });
    await trial.publish({ '1.0.0': {}, '1.1.0': {}, '1.2.0': { healthyIn: 'dev' } });
    for (const version of ['1.0.0', '1.1.0', '1.2.0']) await trial.succeed('promote', version, '--to', 'dev');
  }, setupTime);

  afterAll(async () => {
    for (const { kind } of kinds.filter(({ machines }) => machines)) await trial?.run('destroy', kind, '--yes');
    await trial?.remove();
  }, making);

  describe.each(kinds)('on $kind', ({ kind, machines }) => {
    let before: Snapshot;
    let urls: string[];
    let load: Load;

    afterAll(async () => load?.stop());

    const addresses = async () =>
      (await trial.succeed('host', 'ls', kind)).json.hosts.map(({ address }: { address: string }) => address);
    const serve = async (version: string) => {
      expect(await trial.versions(kind, urls)).toEqual(urls.map(() => version));
      const { json } = await trial.succeed('status', '--env', kind);
      expect(json).toMatchObject({ version, problems: [], hosts: { ready: urls.length, total: urls.length } });
    };

    test(
      'a second release follows the first, also when its command was killed on the way',
      { timeout: making },
      async () => {
        before = await trial.snapshot(kind);
        await trial.succeed('promote', '1.0.0', '--to', kind);
        urls = (await addresses()).map((address: string) => `http://${address}:8000/`);
        await serve('1.0.0');
        load = await startLoad({ urls, rate: 100, connections: 'both' });
        const killed = await trial.start(['promote', '1.1.0', '--to', kind, '--yes'], {
          LOCKAGE_FAILPOINT: 'after:verification',
        }).ended;
        expect(killed.signal, killed.stderr).toBe('SIGKILL');
        await trial.succeed('promote', '1.1.0', '--to', kind);
        await serve('1.1.0');
      },
    );

    test('a release that is never healthy is refused, and the one before serves on', { timeout: making }, async () => {
      const refused = await trial.promote('1.2.0', kind);
      expect([refused.code, refused.json?.error.message], refused.stderr).toEqual([
        3,
        expect.stringContaining('web 1.2.0 was not healthy within 6 s'),
      ]);
      await serve('1.1.0');
    });

    test('a rollback is a switch, and none of all this failed a request', { timeout: making }, async () => {
      const back = await trial.succeed('rollback', kind);
      expect(back.json.trafficBack).toBeLessThan(5000);
      await serve('1.0.0');
      const stats = await load.stop();
      expect(stats, JSON.stringify(stats.failures)).toMatchObject({ failed: 0 });
      expect(stats.sent).toBeGreaterThan(500);
    });

    test('nothing is left of what is destroyed', { timeout: making }, async () => {
      await trial.succeed('destroy', kind, '--volumes');
      expect(own(await trial.snapshot(kind))).toEqual(own(before));
      if (machines) {
        for (const folder of ['machines', 'machine-keys']) {
          expect(await readdir(join(trial.folder, '.lockage', folder))).toEqual([]);
        }
      }
      expect(await trial.leftProcesses()).toEqual([]);
    });
  });
});
