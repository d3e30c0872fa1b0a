import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DatabaseShop, engineOf } from '../support/databases-fixture.ts';
import { labsWork, setupTime } from '../support/pipeline-fixture.ts';

/** How many tests of a run take a database and are killed: 1000 with `LOCKAGE_DATABASE_TESTS=1000`, which takes a while. */
const killedTests = Number(process.env['LOCKAGE_DATABASE_TESTS'] ?? 12);

/** Milliseconds for that. */
const killedTime = 480_000 + 1000 * killedTests;

// One story: each test goes on where the one before ended, with nothing of a database running.
describe.runIf(labsWork)('a database for tests', () => {
  let shop: DatabaseShop;

  beforeAll(async () => {
    shop = await DatabaseShop.open({ small: { hosts: 1, reach: 'unix', disk: 900 * 2 ** 20 } });
  }, setupTime);

  afterAll(async () => shop?.remove());

  const gone = () => expect.poll(() => shop.left(), { timeout: 60_000, interval: 300 }).toEqual([]);
  const jobs = 'select count(*) from jobs';

  test('is baked once of image, migration and seed, and comes from the registry where it is not', async () => {
    const baked = await shop.succeed('db', 'bake');
    expect(baked).toMatchObject({ outcome: 'baked', kind: 'postgres', accessory: 'db', digest: expect.any(String) });
    expect(await shop.left()).toEqual([]);
    expect(await shop.succeed('db', 'bake')).toMatchObject({ outcome: 'unchanged', image: baked.image });
    await shop.desk.docker('image', 'rm', '--force', (await shop.engine.inspectImage(baked.image))?.Id ?? '');
    const pulled = await shop.succeed('db', 'bake');
    expect(pulled).toMatchObject({ outcome: 'pulled', image: baked.image, digest: baked.digest });
    const { Config } = (await shop.engine.inspectImage(baked.image)) ?? {};
    expect(Config?.Labels).toMatchObject({ 'lockage.db.data': '/lockage/data', 'lockage.db.kind': 'postgres' });
  });

  test('has copies that see nothing of each other', async () => {
    const { child, forks } = await shop.fork(2);
    const [one, two] = forks.map(({ url }) => url);
    await shop.sql(one ?? '', "delete from jobs where id > 10; insert into counters values ('mine', 1)");
    expect([await shop.sql(one ?? '', jobs), await shop.sql(two ?? '', jobs)]).toEqual(['10', '100']);
    const later = await shop.fork(1);
    expect(await shop.sql(later.forks[0]?.url ?? '', jobs)).toBe('100');
    for (const each of [child, later.child]) {
      each.kill('SIGTERM');
      await once(each, 'exit');
    }
    expect(await shop.left()).toEqual([]);
  });

  test('is reached at the loopback alone, by a password that nothing shows, and can do as little as a role', async () => {
    const { child, forks } = await shop.fork(2);
    const [one, two] = forks;
    const details = await shop.engine.inspectContainer(one?.name ?? '');
    expect(one?.password).not.toBe(two?.password);
    expect(JSON.stringify(details)).not.toContain(one?.password);
    expect(Object.values(details?.NetworkSettings.Ports ?? {})).toEqual([
      [{ HostIp: '127.0.0.1', HostPort: String(one?.port) }],
    ]);
    expect(details?.Config.User).toBe('999:999');
    expect(details?.HostConfig).toMatchObject({
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      PidsLimit: 256,
      Memory: 512 * 2 ** 20,
    });
    expect(details?.Mounts.filter(({ Type }) => Type === 'volume')).toEqual([]);
    const wrong = (two?.url ?? '').replace(two?.password ?? '', one?.password ?? '');
    await expect(shop.sql(wrong, jobs)).rejects.toThrow(/password authentication failed/);
    const [network] = Object.values(details?.NetworkSettings.Networks ?? {});
    const ask = ['pg_isready', '-q', '-t', '2', '-h', network?.IPAddress ?? ''];
    const asked = async (name = '') => (await shop.engine.exec(name, ask)).code;
    expect([await asked(one?.name), await asked(two?.name)]).toEqual([0, 2]);
    child.kill('SIGTERM');
    await once(child, 'exit');
  });

  test('goes when its command is killed, and when whoever called that is', async () => {
    const { child } = await shop.fork(2);
    child.kill('SIGKILL');
    await gone();
    // A shell that waits for it, as a script does.
    const called = await shop.fork(1, ['sh', '-c', '"$@"; exit', 'caller']);
    called.child.kill('SIGKILL');
    await gone();
  });

  test('leaves nothing behind where the engine is killed with it', async () => {
    const { child } = await shop.fork(1);
    await shop.desk.host.cutPower();
    child.kill('SIGKILL');
    await shop.desk.host.restorePower();
    await shop.succeed('db', 'bake');
    await gone();
  });

  test.each(['fork', 'template'])('is there for tests of the sample at the same time, by a %s', async (strategy) => {
    const words = ['test', '--parallel', '4', '--per', 'test', '--strategy', strategy];
    const some = ['--test-name-pattern', 'job 1|without a table|a visit'];
    const { code, stdout, stderr } = await shop.run(...words, '--', 'node', '--test', ...some, 'app/test/');
    expect([code, /^# pass \d+/m.exec(stdout)?.[0], /^# fail \d+/m.exec(stdout)?.[0]], stdout + stderr).toEqual([
      0,
      '# pass 13',
      '# fail 0',
    ]);
    expect(await shop.left()).toEqual([]);
  });

  test('is pristine when its fork serves again: its data, accounts, settings, files and programs', async () => {
    await writeFile(
      join(shop.folder, 'again.mjs'),
      `import { createRequire } from 'node:module';
      import { availableParallelism } from 'node:os';
      const postgres = createRequire(process.cwd() + '/app/')('postgres');
      const { takeDatabase } = await import(process.env.LOCKAGE_TEST_HELPER);
      const facts = \`select (select count(*)::int from jobs) as jobs, to_regclass('mine') as mine,
        (select count(*)::int from pg_roles where rolname = 'mine') as role,
        (select count(*)::int from pg_database where datname = 'mine') as other,
        current_setting('work_mem') as setting, (select count(*)::int from pg_ls_dir('/tmp') as name where name like 'mine%') as files,
        (select count(*)::int from pg_ls_dir('/var/tmp')) as kept\`;
      const changes = [
        'create table mine as select generate_series(1, 50000) as number', 'drop table jobs', 'create role mine', 'create database mine',
        "alter system set work_mem = '8MB'", 'create schema apart', 'checkpoint', 'select pg_switch_wal()',
        "copy (select 1) to '/tmp/mine'", "copy (select 1) to '/var/tmp/mine'",
        "copy (select 1) to program 'cat > /dev/null; touch -d 2099-01-01 /tmp/mine3 /tmp/made'",
        // A program that does not read what it is given fails now and then.
        "copy (select 1) to program 'cat > /dev/null; while sleep 0.1; do touch /tmp/mine2; done > /dev/null 2>&1 &'",
      ];
      const connect = (url) => postgres(url, { max: 1, onnotice: () => {}, connect_timeout: 5 });
      const seen = [];
      // A pool of one has as many spare ones as there are processors: by then, one has come back.
      const most = availableParallelism() + 3;
      const ofPort = (port) => seen.filter((each) => each.port === port);
      while (seen.length < most && !seen.some(({ port }) => ofPort(port).length > 1)) {
        const { url, release } = await takeDatabase();
        const sql = connect(url);
        const [{ ...found }] = await sql.unsafe(facts);
        for (const change of changes) await sql.unsafe(change);
        // What stands in for a volume of the image is nobody's to write.
        const write = "copy (select 1) to '/var/lib/postgresql/data/mine'";
        const isRefused = await sql.unsafe(write).then(() => false, () => true);
        const { port, password } = new URL(url);
        seen.push({ found: JSON.stringify({ ...found, isRefused }), port, password });
        release();
        // Whoever keeps the connection, or the password, has nothing of the next test's.
        await sql.unsafe('select pg_sleep(30)').then(() => process.exit(3), () => undefined);
        await sql.end({ timeout: 1 });
      }
      const of = (key) => new Set(seen.map((each) => each[key])).size;
      const again = seen.filter(({ port }) => ofPort(port).length > 1).map((each) => JSON.parse(each.found));
      console.log(JSON.stringify({ taken: seen.length, kinds: of('found'), passwords: of('password'), again, seen }));`,
    );
    const { code, stdout, stderr } = await shop.run('test', '-p', '1', '--per', 'test', '--', 'node', 'again.mjs');
    expect(code, stdout + stderr).toBe(0);
    const { taken, kinds, passwords, again } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
    const pristine = { jobs: 100, mine: null, role: 0, other: 0, setting: '4MB', files: 0, kept: 0, isRefused: true };
    expect(again, stdout + stderr).toEqual([pristine, pristine]);
    expect({ kinds, passwords }, stdout).toEqual({ kinds: 1, passwords: taken });
    expect(await shop.left()).toEqual([]);
  });

  test(
    'is taken from a test that is killed, and all are gone after it',
    async () => {
      const atOnce = Math.min(16, Math.ceil(killedTests / 3));
      // Each takes a database; some are killed with it, some before they have it, and some give it back.
      await writeFile(
        join(shop.folder, 'killed.mjs'),
        `import { spawn } from 'node:child_process';
      import { once } from 'node:events';
      const worker = \`const { takeDatabase } = await import(process.env.LOCKAGE_TEST_HELPER);
        const { url, release } = await takeDatabase();
        console.log(url);
        process.stdin.once('data', () => { release(); process.exit(0); });\`;
      const urls = [];
      let begun = 0;
      const run = async (number) => {
        const child = spawn(process.execPath, ['--input-type=module', '-e', worker], { stdio: ['pipe', 'pipe', 'inherit'] });
        const ended = once(child, 'exit');
        if (number % 3 === 0) {
          setTimeout(() => child.kill('SIGKILL'), Math.random() * 400);
          return ended;
        }
        const [url] = await once(child.stdout, 'data');
        urls.push(String(url));
        if (number % 3 === 1) child.kill('SIGKILL');
        else child.stdin.write('done');
        await ended;
      };
      const work = async () => { while (begun < ${killedTests}) await run(++begun); };
      await Promise.all(Array.from({ length: ${atOnce} }, work));
      const expected = ${killedTests} - Math.floor(${killedTests} / 3);
      process.exit(urls.length === expected && new Set(urls).size === expected ? 7 : 1);`,
      );
      const words = ['test', '-p', String(atOnce), '--per', 'test', '--', 'node', 'killed.mjs'];
      const child = shop.start([...shop.desk.program, ...words]);
      let said = '';
      child.stdout?.resume();
      child.stderr?.on('data', (data: Buffer) => (said = (said + data.toString()).slice(-10_000)));
      const [code] = (await once(child, 'exit')) as [number | null];
      expect([code, await shop.left()], said).toEqual([7, []]);
    },
    killedTime,
  );

  test('leaves nothing behind on a disk that is full, and is there again when it is not', async () => {
    const small = shop.desk.lab.host('small-1');
    const engine = engineOf(small);
    try {
      const on = (...words: string[]) => shop.desk.run(shop.folder, words, { DOCKER_HOST: small.dockerHost });
      expect(await on('db', 'bake', '--json')).toMatchObject({ code: 0, json: { outcome: 'pulled' } });
      const image = shop.desk.lab.images.postgres ?? '';
      const fill = 'dd if=/dev/zero of=/var/tmp/fill bs=1M 2> /dev/null; exec sleep 600';
      await engine.createContainer('fill', { Image: image, Entrypoint: ['sh', '-c', fill] });
      await engine.startContainer('fill');
      const runs = async () => (await engine.exec('fill', ['cat', '/proc/1/comm'])).stdout.trim();
      await expect.poll(runs, { timeout: 60_000 }).toBe('sleep');
      const { code, json } = await on('db', 'fork', '--json');
      expect([2, 3]).toContain(code);
      expect(json.error.message).toMatch(/small-1|here/);
      await engine.removeContainer('fill', { force: true });
      expect((await on('db', 'sweep')).code).toBe(0);
      expect(await shop.left(engine)).toEqual([]);
      expect((await on('test', '-p', '1', '--', 'true')).code).toBe(0);
    } finally {
      engine.close();
    }
  });

  test('is found by each worker in variables', async () => {
    const script =
      'echo "$DATABASE_URL $LOCKAGE_DATABASE_URL_1 $LOCKAGE_DATABASE_URL_2 ${LOCKAGE_DATABASE_URL_3:-none}"';
    const { stdout } = await shop.run('test', '-p', '2', '--', 'sh', '-c', script);
    const [url, one, two, three] = stdout.trim().split(' ');
    expect([url, three, new Set([one, two]).size]).toEqual([one, 'none', 2]);
  });

  test('is a template also where it is called postgres', async () => {
    await shop.configure((file) => {
      file.setIn(['accessories', 'db', 'env'], { POSTGRES_PASSWORD_FILE: '/run/secrets/DB_PASSWORD' });
      file.setIn(['accessories', 'db', 'migrated'], false);
      file.deleteIn(['accessories', 'db', 'seed']);
    });
    const words = ['test', '-p', '2', '--strategy', 'template'];
    const script = 'echo "$LOCKAGE_DATABASE_URL_1 $LOCKAGE_DATABASE_URL_2"';
    const { code, stdout, stderr } = await shop.run(...words, '--', 'sh', '-c', script);
    expect([code, stdout.trim()], stderr).toEqual([0, expect.stringMatching(/\/copy_\d \S+\/copy_\d$/)]);
    expect(await shop.left()).toEqual([]);
  });

  test('has a server that archives nothing where its accessory has an archive, a standby and TLS', async () => {
    await writeFile(join(shop.folder, 'slot.sql'), "select pg_create_physical_replication_slot('standby', true);");
    const settings = [
      ...['archive_mode=on', 'archive_command=touch /tmp/archived', 'wal_level=logical', 'huge_pages=on'],
      ...['synchronous_standby_names=standby', 'ssl=on', 'ssl_cert_file=/run/secrets/DB_PASSWORD'],
    ];
    await shop.configure((file) => {
      const command = ['postgres', ...settings.flatMap((setting) => ['-c', setting])];
      file.setIn(['accessories', 'db', 'command'], command);
      file.setIn(['accessories', 'db', 'migrated'], false);
      file.setIn(['accessories', 'db', 'seed'], { file: 'slot.sql' });
    });
    const { child, forks } = await shop.fork(1);
    const asked = "select current_setting('archive_mode'), current_setting('ssl'), count(*) from pg_replication_slots";
    expect(await shop.sql(forks[0]?.url ?? '', asked)).toBe('off|off|0');
    child.kill('SIGTERM');
    await once(child, 'exit');
    expect(await shop.left()).toEqual([]);
  });

  test('is refused with what helps where it cannot be made', async () => {
    const refusal = async (change: Parameters<typeof shop.configure>[0]) => {
      await shop.configure(change);
      const { code, json } = await shop.run('db', 'bake', '--json');
      return [code, json.error.message, json.error.hint];
    };
    const { registry } = shop.desk.lab;
    expect(
      await refusal((file) => file.setIn(['accessories', 'db', 'image'], `${registry}/lockage-base/node`)),
    ).toEqual([
      2,
      expect.stringContaining('what kind of database db is cannot be seen'),
      'Write `accessories.db.kind`: postgres, mariadb, redis.',
    ]);
    expect(await refusal((file) => file.setIn(['accessories', 'db', 'seed'], { file: 'absent.sql' }))).toEqual([
      2,
      expect.stringMatching(/absent\.sql, of `accessories\.db\.seed\.file`, cannot be read/),
      expect.any(String),
    ]);
    await writeFile(join(shop.folder, 'wrong.sql'), 'insert into no_such_table values (1);');
    expect(await refusal((file) => file.setIn(['accessories', 'db', 'seed'], { file: 'wrong.sql' }))).toEqual([
      3,
      expect.stringContaining('the seed of db failed'),
      undefined,
    ]);
    expect(await shop.left()).toEqual([]);
    const absent = await shop.run('db', 'fork', 'bd', '--json');
    expect([absent.code, absent.json.error.message]).toEqual([2, expect.stringContaining('did you mean db')]);
  });
});
