import { existsSync } from 'node:fs';
import { cp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Engine } from '../../infra/docker/api/client.ts';
import { cacheFolder } from '../../infra/system/cache-folder.ts';
import { goBuild } from '../../scripts/setup/go-build.ts';
import { command } from '../support/engine-fixture.ts';
import { labsWork, setupTime, TestProject } from '../support/pipeline-fixture.ts';

/** A program is built from its sources, or its packages are fetched: ms. */
const building = 900_000;
const strangers = join(import.meta.dirname, '../support/strangers');

/** Applications that nobody here wrote, configured as their own documentation asks for and no further. */
describe.runIf(labsWork)('an application of somebody else', () => {
  let project: TestProject;

  beforeAll(async () => {
    const environments = { dev: { hosts: 1, reach: 'unix' }, prod: { hosts: 2, reach: 'unix' } } as const;
    project = await TestProject.open({ environments, seed: ['edge', 'node', 'postgres'] });
    await git('init', '--quiet');
  }, setupTime);

  afterAll(async () => project?.remove());

  const git = (...words: string[]) =>
    command('git', '-C', project.folder, '-c', 'user.name=t', '-c', 'user.email=t@example.com', ...words);

  /** Puts a build context in the place of the application. */
  async function write(name: string, fill: (folder: string) => Promise<unknown>): Promise<void> {
    const folder = join(project.folder, 'app');
    await rm(folder, { recursive: true });
    await cp(join(strangers, name), folder, { recursive: true });
    await fill(folder);
  }

  async function commit(note: string): Promise<void> {
    await writeFile(join(project.folder, 'app/note.txt'), `${note}\n`);
    await git('add', '--all');
    await git('commit', '--quiet', '--message', note);
  }

  /** Releases twice, promotes both through dev to prod, and goes back; `use` is what a visitor does after each. */
  async function throughAndBack(use: (url: string) => Promise<void>): Promise<void> {
    for (const version of ['1.0.0', '1.1.0']) {
      await commit(version);
      await project.succeed('release', version);
      for (const environment of ['dev', 'prod']) {
        await project.succeed('promote', version, '--to', environment);
        for (const url of project.urls(environment)) await use(url);
      }
    }
    await project.succeed('rollback', 'prod');
    const { json } = await project.succeed('status', '--env', 'prod');
    expect([json.version, json.problems]).toEqual(['1.0.0', []]);
    for (const url of project.urls('prod')) await use(url);
  }

  /** What an engine runs of an environment: the digest of the release, and the hash by which the engine names the image. */
  async function running(engine: Engine, environment: string): Promise<string[]> {
    const found = await engine.listContainers({
      labels: { 'lockage.environment': environment, 'lockage.part': 'release', 'lockage.release': '1.0.0' },
    });
    return found.map(({ Labels, ImageID }) => `${Labels['lockage.digest']} ${ImageID}`);
  }

  /** Reproduces prod on the engine that builds; `use` is what a visitor does there. Nothing of it stays. */
  async function onALaptop(
    use: (url: string) => Promise<void>,
    secrets?: Readonly<Record<string, string>>,
  ): Promise<void> {
    const { dockerHost, address } = project.lab.builder;
    const laptop = new Engine({ host: 'laptop', socketPath: dockerHost.replace('unix://', '') });
    const file = join(project.folder, '.lockage', 'laptop.env');
    const lines = Object.entries(secrets ?? {}).map(([name, value]) => `${name}=${value}\n`);
    await writeFile(file, lines.join(''));
    const given = secrets ? ['--secrets', file] : [];
    const { code, stderr, json } = await project.run('reproduce', 'prod', ...given, '--yes', '--json');
    expect(code, stderr).toBe(0);
    const original = await running(project.engine('prod-1'), 'prod');
    expect(original).toEqual([expect.stringMatching(`^${json.original.digest} sha256:`)]);
    expect(await running(laptop, 'prod-here')).toEqual(original);
    await use(`http://${address}:${json.ports[8000]}/`);
    await project.succeed('destroy', 'prod-here', '--volumes');
    const labels = { 'lockage.environment': 'prod-here' };
    expect(await laptop.listContainers({ all: true, labels })).toEqual([]);
    expect(await laptop.listVolumes(labels)).toEqual([]);
  }

  test('from a Go module, with a database, goes to prod and back, and to a laptop', { timeout: building }, async () => {
    await write('miniflux', async (folder) => {
      const program = join(cacheFolder(), 'bin', 'miniflux-2.3.5', 'miniflux');
      const module = 'test/support/strangers/miniflux';
      const build = { module, source: 'miniflux.app/v2', out: program, instead: 'nothing' };
      if (!existsSync(program)) await goBuild(build, () => undefined);
      await cp(program, join(folder, 'miniflux'));
    });
    const user = { name: 'admin', password: 'a password of ten words' };
    Object.assign(project.env, {
      POSTGRES_PASSWORD: 'secret',
      DATABASE_URL: 'postgres://miniflux:secret@db:5432/miniflux?sslmode=disable',
      ADMIN_PASSWORD: user.password,
    });
    const named = (name: string) => ({ [name]: { env: name } });
    await project.configure({
      build: { context: 'app', args: { BASE: `${project.lab.registry}/lockage-base/node` } },
      secrets: { ...named('POSTGRES_PASSWORD'), ...named('DATABASE_URL'), ...named('ADMIN_PASSWORD') },
      accessories: {
        db: {
          image: `${project.lab.registry}/lockage-base/postgres`,
          port: 5432,
          env: { POSTGRES_USER: 'miniflux', POSTGRES_DB: 'miniflux' },
          secrets: ['POSTGRES_PASSWORD'],
          volumes: { data: '/var/lib/postgresql/data' },
          health: { command: ['pg_isready', '-h', '127.0.0.1', '-U', 'miniflux'] },
        },
      },
      // Once, and not by every container at its start: two that make the first user at the same time are one too many.
      migration: {
        command: ['miniflux', '-run-cleanup-tasks'],
        env: { RUN_MIGRATIONS: '1', CREATE_ADMIN: '1', ADMIN_USERNAME: user.name },
        secrets: ['DATABASE_URL', 'ADMIN_PASSWORD'],
      },
      roles: {
        web: {
          port: 8080,
          publish: 8000,
          env: { LISTEN_ADDR: '0.0.0.0:8080' },
          secrets: ['DATABASE_URL'],
          health: { path: '/healthcheck', timeout: '30s' },
        },
      },
    });
    let number = 0;
    const addCategory = async (url: string, password: string): Promise<string[]> => {
      const title = `category ${(number += 1)}`;
      const authorization = `Basic ${Buffer.from(`${user.name}:${password}`).toString('base64')}`;
      const headers = { authorization, 'content-type': 'application/json' };
      const categories = new URL('v1/categories', url);
      const made = await fetch(categories, { method: 'POST', headers, body: JSON.stringify({ title }) });
      expect(made.status, await made.text()).toBe(201);
      const found = (await (await fetch(categories, { headers })).json()) as { title: string }[];
      expect(found.map((each) => each.title)).toContain(title);
      return found.map((each) => each.title);
    };
    await throughAndBack(async (url) => void (await addCategory(url, user.password)));
    // What prod was given cannot be known here, and one of these has the other in it: so no random value would do.
    const own = { POSTGRES_PASSWORD: 'of-the-laptop', ADMIN_PASSWORD: 'another password of ten words' };
    const secrets = {
      ...own,
      DATABASE_URL: `postgres://miniflux:${own.POSTGRES_PASSWORD}@db:5432/miniflux?sslmode=disable`,
    };
    await onALaptop(async (url) => {
      // Every user has one named All: nothing of prod's is there.
      expect((await addCategory(url, own.ADMIN_PASSWORD)).sort()).toEqual(['All', `category ${number}`]);
    }, secrets);
  });

  test('from npm goes to prod and back, and to a laptop', { timeout: building }, async () => {
    for (const environment of ['dev', 'prod']) await project.succeed('destroy', environment, '--volumes');
    await project.configure({ app: 'packages', repository: `${project.lab.registry}/packages` });
    await write('verdaccio', (folder) => command('npm', '--prefix', folder, 'ci', '--silent', '--ignore-scripts'));
    await project.configure({
      ...{ accessories: {}, secrets: {}, migration: undefined },
      roles: {
        web: {
          port: 4873,
          publish: 8000,
          hardening: { tmpfs: { '/verdaccio/storage': '64MiB' } },
          health: { path: '/-/ping', timeout: '60s' },
        },
      },
    });
    const ping = async (url: string) => {
      const answer = await fetch(new URL('-/ping', url));
      expect([answer.status, await answer.json()]).toEqual([200, {}]);
    };
    await throughAndBack(ping);
    await onALaptop(ping);
  });
});
