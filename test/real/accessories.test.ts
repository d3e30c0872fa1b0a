import { copyFile, mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { namelessVolumes } from '../../infra/workloads/container/inventory.ts';
import { labsWork, setupTime, TestProject } from '../support/pipeline-fixture.ts';

// One story: each test goes on where the one before ended.
describe.runIf(labsWork)('an accessory', () => {
  let project: TestProject;
  let db: Record<string, unknown>;

  beforeAll(async () => {
    const environments = { prod: { hosts: 2, reach: 'unix' } } as const;
    project = await TestProject.open({ environments, seed: ['edge', 'node', 'postgres'] });
    db = {
      image: `${project.lab.registry}/lockage-base/postgres`,
      port: 5432,
      secrets: ['POSTGRES_PASSWORD'],
      volumes: { data: '/var/lib/postgresql/data' },
      health: { command: ['pg_isready', '-U', 'postgres'] },
    };
    const secrets = { POSTGRES_PASSWORD: { env: 'PASSWORD' } };
    await project.configure({ secrets, accessories: { db } });
    project.env['PASSWORD'] = 'the password of the database';
    await project.publish({ '1.0.0': {} });
    await project.succeed('promote', '1.0.0', '--to', 'prod');
  }, setupTime);

  afterAll(async () => project?.remove());

  const sql = async (text: string) => {
    const words = ['accessory', 'exec', 'prod', 'db', '--', 'psql', '-U', 'postgres', '-AtXqc', text];
    const { code, stdout, stderr } = await project.run(...words);
    expect(code, stderr).toBe(0);
    return stdout.trim();
  };
  /** Puts a statement before the last line of the backup, in the place of one that was put there. */
  const addToBackup = async (statement: string) => {
    const file = join(project.folder, 'db.sql');
    const [whole = ''] = (await readFile(file, 'utf8')).split('\nSELECT no_such_function();');
    const data = whole.replace('\n-- lockage: complete\n', '');
    await writeFile(file, `${data}\n${statement}\n-- lockage: complete\n`);
  };
  const detailsOf = () => project.engine('prod-1').inspectContainer('trial-prod-db');

  test('is found by its name from every host, at a private address', async () => {
    const ask =
      'require("net").connect(process.env.DB_PORT, process.env.DB_HOST, () => { console.log("there"); process.exit() })';
    const { code, stdout, stderr } = await project.run('exec', '-e', 'prod', '--', 'node', '-e', ask);
    expect([code, stdout.match(/there/g)], stderr).toEqual([0, ['there', 'there']]);
    const names = await project.run('exec', '-e', 'prod', '--', 'sh', '-c', 'echo $DB_HOST');
    expect(names.stdout.match(/\bdb\b/g)).toEqual(['db', 'db']);
    const bound = (await detailsOf())?.HostConfig.PortBindings;
    expect(bound).toEqual({ '5432/tcp': [{ HostIp: project.hosts('prod')[0]?.address, HostPort: '5432' }] });
  });

  test('is backed up with a proof, and has its data again after a restore', async () => {
    await sql('CREATE ROLE reader; CREATE TABLE notes (text text); GRANT SELECT ON notes TO reader');
    await sql("INSERT INTO notes SELECT 'note ' || n FROM generate_series(1, 50000) n");
    const { json } = await project.succeed('accessory', 'backup', 'prod', 'db', 'db.sql');
    const file = join(project.folder, 'db.sql');
    const { size, mode } = await stat(file);
    expect(json).toMatchObject({ outcome: 'backed up', bytes: size, proven: expect.any(Number) });
    expect([mode & 0o777, size > 500_000]).toEqual([0o600, true]);
    expect(await readFile(file, 'utf8')).not.toContain('the password');
    await sql("DELETE FROM notes; INSERT INTO notes VALUES ('later')");
    await project.succeed('accessory', 'restore', 'prod', 'db', 'db.sql', '--yes');
    expect(await sql("SELECT count(*), max(text) FROM notes WHERE text LIKE 'note %'")).toBe('50000|note 9999');
    const { containers } = (await project.snapshot('prod'))['prod-1'] ?? {};
    expect(containers?.filter((line) => line.includes('trial-prod-db'))).toHaveLength(1);
  });

  test('has nothing after a restore that came later, whatever it has to do with what is older', async () => {
    await sql('ALTER TABLE notes ADD id serial PRIMARY KEY; CREATE TABLE replies (note int REFERENCES notes)');
    await sql("CREATE VIEW read AS SELECT text FROM notes; CREATE TYPE kind AS ENUM ('new'); CREATE SCHEMA later");
    await project.succeed('accessory', 'restore', 'prod', 'db', 'db.sql', '--yes');
    expect(await sql("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")).toBe('1');
    expect(await sql("SELECT to_regtype('kind'), to_regnamespace('later')")).toBe('|');
    expect(await sql('SELECT count(*) FROM notes')).toBe('50000');
  });

  test('keeps its data when a file cannot be restored', async () => {
    await addToBackup('SELECT no_such_function();');
    const { code, json } = await project.run('accessory', 'restore', 'prod', 'db', 'db.sql', '--yes', '--json');
    expect([code, json.error.message]).toEqual([3, expect.stringContaining('db has the data that it had')]);
    expect(await sql('SELECT count(*) FROM notes')).toBe('50000');
    const absent = await project.run('accessory', 'restart', 'prod', 'bd', '--json');
    expect([absent.code, absent.json.error.message]).toEqual([2, expect.stringContaining('did you mean db')]);
  });

  test('keeps its data when a restore is killed in the middle', async () => {
    await sql("DELETE FROM notes WHERE text <> 'note 1'");
    // More than any buffer on the way takes: the end is not sent yet while the server sleeps.
    await addToBackup(`SELECT pg_sleep(4);\n${'-- nothing more than this\n'.repeat(400_000)}`);
    const words = ['accessory', 'restore', 'prod', 'db', 'db.sql', '--yes'];
    const { kill, ended } = project.start(words);
    const sleeping = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%'";
    await vi.waitFor(async () => expect(await sql(sleeping)).toBe('1'), { timeout: 30_000, interval: 100 });
    kill('SIGKILL');
    expect((await ended).signal).toBe('SIGKILL');
    // The tables are locked until the server has taken everything back.
    expect(await sql('SELECT count(*) FROM notes')).toBe('1');
    const { code, json } = await project.run(...words, '--json');
    expect([code, json.outcome]).toEqual([0, 'restored']);
    expect(await sql('SELECT count(*) FROM notes')).toBe('50000');
  });

  test('is restarted, and its log read', async () => {
    const before = await detailsOf();
    await project.succeed('accessory', 'restart', 'prod', 'db');
    const after = await detailsOf();
    expect([after?.Id, after?.State.Running]).toEqual([before?.Id, true]);
    expect(after?.State.StartedAt).not.toBe(before?.State.StartedAt);
    expect(await sql('SELECT count(*) FROM notes')).toBe('50000');
    const { stdout } = await project.run('accessory', 'logs', 'prod', 'db', '-n', '5');
    expect(stdout).toMatch(/database system is ready/);
  });

  test('is dumped before a migration that closes the way back, which that dump opens again', async () => {
    await project.configure({
      schema: 2,
      migration: { command: ['node', 'web.mjs', 'migrate'], dump: ['db'], keep: 1 },
    });
    const folder = join(project.folder, '.lockage/dumps/prod');
    await mkdir(folder, { recursive: true });
    for (const name of ['db', 'db-replica']) await writeFile(join(folder, `${name}-r1-before-0.9.0.dump`), 'older');
    await project.publish({ '1.0.1': {} });
    const planned = await project.run('plan', '1.0.1', '--to', 'prod', '--json');
    expect(planned.json.plan.notes).toContain('before its migration, a dump is taken of db');
    await project.succeed('promote', '1.0.1', '--to', 'prod');
    await sql('DROP TABLE notes');
    const file = '.lockage/dumps/prod/db-r2-before-1.0.1.dump';
    expect((await stat(join(project.folder, file))).mode & 0o777).toBe(0o600);
    // As many as are configured, of this accessory.
    expect((await readdir(folder)).sort()).toEqual(['db-r2-before-1.0.1.dump', 'db-replica-r1-before-0.9.0.dump']);
    for (const more of [[], ['--drill']]) {
      const { code, json } = await project.run(
        'rollback',
        'prod',
        ...more,
        '--json',
        ...(more.length ? [] : ['--yes']),
      );
      expect([code, json.error.hint]).toEqual([2, expect.stringContaining(`accessory restore prod db ${file}`)]);
    }
    expect(await project.versions('prod')).toEqual(['1.0.1', '1.0.1']);
    // As it is sent to whoever restores.
    const sent = join(project.folder, '.lockage/sent.sql');
    await copyFile(join(project.folder, file), sent);
    await project.succeed('accessory', 'restore', 'prod', 'db', sent, '--yes');
    expect(await sql('SELECT count(*) FROM notes')).toBe('50000');
    await project.succeed('rollback', 'prod');
    expect(await project.versions('prod')).toEqual(['1.0.0', '1.0.0']);
    await project.succeed('resume', 'prod');
    await project.configure({ schema: undefined, migration: undefined });
  });

  test('is there again with its data when the next one does not work, and is replaced by one that does', async () => {
    const before = await detailsOf();
    await project.configure({ accessories: { db: { ...db, command: ['postgres', '-c', 'no_such_setting=1'] } } });
    const failed = await project.promote('1.0.0', 'prod');
    expect([failed.code, failed.json.error.message], failed.stderr).toEqual([
      3,
      expect.stringContaining('accessory db trial-prod-db was not replaced'),
    ]);
    expect(failed.json.error.details.join()).toMatch(/no_such_setting.*prod-1: the accessory db of before is back/);
    expect((await detailsOf())?.Id).toBe(before?.Id);
    expect(await sql('SELECT count(*) FROM notes')).toBe('50000');
    await project.configure({ accessories: { db: { ...db, command: ['postgres', '-c', 'work_mem=8MB'] } } });
    await project.succeed('promote', '1.0.0', '--to', 'prod');
    expect((await detailsOf())?.Id).not.toBe(before?.Id);
    expect(await sql("SELECT count(*) || ' ' || current_setting('work_mem') FROM notes")).toBe('50000 8MB');
  });

  test('of another major version is not started over its data', async () => {
    const tag = async (major: number) => {
      const image = `${project.lab.registry}/trial/postgres:${major}`;
      const base = project.lab.images.postgres ?? '';
      await project.docker('pull', '--quiet', base);
      const made = (await project.docker('create', '--env', `PG_MAJOR=${major}`, base)).trim();
      await project.docker('commit', '--change', `ENV PG_MAJOR=${major}`, made, image);
      await project.docker('rm', made);
      await project.docker('push', '--quiet', image);
      return image;
    };
    await project.configure({ accessories: { db: { ...db, image: await tag(15) } } });
    await project.succeed('promote', '1.0.0', '--to', 'prod');
    const before = await project.snapshot('prod');
    await project.configure({ accessories: { db: { ...db, image: await tag(16) } } });
    const { code, json } = await project.promote('1.0.0', 'prod');
    expect([code, json.error.details]).toEqual([
      2,
      ['prod-1: accessory db cannot go from PostgreSQL 15 to PostgreSQL 16 over the data that it keeps'],
    ]);
    expect(await project.snapshot('prod')).toEqual(before);
  });

  test('keeps data in a volume that nobody named, which is refused where another one is meant for it', async () => {
    const before = (await project.snapshot('prod'))['prod-1'];
    const cache = { ...db, port: 5433, volumes: {} };
    const older = { ...db, image: `${project.lab.registry}/trial/postgres:15` };
    const above = { ...cache, volumes: { data: '/var/lib/postgresql' } };
    await project.configure({
      accessories: { db: older, cache: above },
    });
    const refused = await project.promote('1.0.0', 'prod');
    expect([refused.code, refused.json.error.hint]).toEqual([
      2,
      'Write `accessories.cache.volumes.data: /var/lib/postgresql/data`.',
    ]);
    expect((await project.snapshot('prod'))['prod-1']).toEqual(before);
    const make = async (command: string[]) => {
      const accessories = {
        db: older,
        cache: { ...cache, command },
      };
      await project.configure({ accessories });
      await project.succeed('promote', '1.0.0', '--to', 'prod');
    };
    const ask = async (text: string) => {
      const words = ['accessory', 'exec', 'prod', 'cache', '--', 'psql', '-U', 'postgres', '-AtXqc', text];
      return (await project.run(...words)).stdout.trim();
    };
    await make(['postgres']);
    const volume = async () =>
      namelessVolumes((await project.engine('prod-1').inspectContainer('trial-prod-cache')) ?? { Mounts: [] });
    const [first] = await volume();
    await ask("CREATE TABLE kept AS SELECT 'here' AS text");
    await make(['postgres', '-c', 'work_mem=8MB']);
    expect(await ask("SELECT text || ' ' || current_setting('work_mem') FROM kept")).toBe('here 8MB');
    expect(await volume()).toEqual([first]);
  });

  test('stays, as public ports do, until a release that does without it is recorded', async () => {
    const { port, ...web } = { port: 8080, publish: 9000, health: { path: '/healthz', timeout: '10s' }, stop: '4s' };
    await project.publish({ '1.1.0': {}, '2.0.0': { unhealthy: true } });
    await project.configure({ accessories: {}, roles: { web: { port, ...web } } });
    const before = await detailsOf();
    const failed = await project.promote('2.0.0', 'prod');
    expect([failed.code, await project.versions('prod')], failed.stderr).toEqual([3, ['1.0.0', '1.0.0']]);
    expect([(await detailsOf())?.Id, before?.State.Running]).toEqual([before?.Id, true]);
    await project.succeed('promote', '1.1.0', '--to', 'prod');
    const urls = project.edges('prod').map(({ address }) => `http://${address}:9000/`);
    expect([await detailsOf(), await project.versions('prod', urls)]).toEqual([undefined, ['1.1.0', '1.1.0']]);
    // What serves again by a rollback serves where it did.
    await project.succeed('rollback', 'prod', '--drill');
    await project.succeed('rollback', 'prod');
    expect(await project.versions('prod')).toEqual(['1.0.0', '1.0.0']);
  });
});
