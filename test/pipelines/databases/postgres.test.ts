import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { servePostgres } from '../../../pipelines/databases/fork-scripts.ts';
import { kindNamed } from '../../../pipelines/databases/kinds.ts';

const postgres = kindNamed('postgres');
const login = { user: 'shop', database: 'shop' };

/** Returns the settings that a server's arguments make: the last one of a name counts. */
function settingsIn(argv: readonly string[]): Record<string, string> {
  const pairs = argv.filter((word, index) => argv[index - 1] === '-c' || word.startsWith('--'));
  return Object.fromEntries(
    pairs.map((pair) => {
      const [name = '', ...value] = pair.replace(/^--/, '').split('=');
      return [name.replaceAll('-', '_'), value.join('=')];
    }),
  );
}

const forked = (...args: string[]) => settingsIn(postgres.fork(args, login));
const baked = (...args: string[]) => settingsIn(postgres.bake(args, ['/run/secrets', '/certificates']).command);

test('a fork of an accessory that archives its log starts, and archives nothing', () => {
  const archives = ['-c', 'archive_mode=on', '-c', 'archive_command=wal-g wal-push %p', '-c', 'wal_level=logical'];
  expect(forked(...archives)).toMatchObject({ wal_level: 'minimal', archive_mode: 'off', max_wal_senders: '0' });
  // What a migration needs of its log it has, and the archive of an environment gets nothing from a bake.
  expect(baked(...archives)).toMatchObject({ wal_level: 'logical', archive_mode: 'off' });
});

test.each([[['-c', 'summarize_wal=on']], [['--summarize-wal=on']]])(
  'a fork with %j summarizes no log, and one without it is told nothing that older servers do not know',
  (args) => {
    expect(forked(...args)).toMatchObject({ summarize_wal: 'off' });
    expect(forked()).not.toHaveProperty('summarize_wal');
  },
);

test.each([
  ['huge pages', 'huge_pages=on', { huge_pages: 'off' }],
  ['a certificate of a volume', 'ssl=on', { ssl: 'off' }],
])('a fork starts without %s', (_, setting, expected) => {
  expect(forked('-c', setting)).toMatchObject(expected);
});

test('a fork can be logged in to where its accessory keeps passwords as MD5', () => {
  expect(forked('-c', 'password_encryption=md5')).toMatchObject({ password_encryption: 'scram-sha-256' });
});

test.each([
  ['off', 'a secret', ['ssl_cert_file=/run/secrets/CERTIFICATE', 'ssl_key_file=/run/secrets/KEY']],
  ['off', 'a volume', ['ssl_cert_file=/etc/ssl/server.crt', 'ssl_key_file=/certificates/server.key']],
  ['off', 'the folder of its data', []],
  ['on', 'the image', ['ssl_cert_file=/etc/ssl/certs/a.pem', 'ssl_key_file=/etc/ssl/private/a.key']],
])('TLS is %s in a bake where its key is in %s', (expected, _, files) => {
  expect(baked(...['ssl=on', ...files].flatMap((setting) => ['-c', setting]))).toMatchObject({ ssl: expected });
});

test('a bake waits for no standby', () => {
  expect(baked('-c', 'synchronous_standby_names=ANY 1 (a, b)')).toMatchObject({ synchronous_standby_names: '' });
});

test('a fork has none of the replication slots that were baked, with which it would not start', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lockage-serve-'));
  try {
    const [data, programs] = [join(folder, 'lockage/data'), join(folder, 'bin')];
    await mkdir(join(data, 'pg_replslot/debezium'), { recursive: true });
    await mkdir(join(folder, 'tmp'));
    await mkdir(programs);
    const server = `#!/bin/sh\nls ${data}/pg_replslot > ${folder}/slots\necho ready > ${data}/postmaster.pid\n`;
    await writeFile(join(programs, 'postgres'), server);
    await writeFile(join(programs, 'psql'), '#!/bin/sh\ncat > /dev/null\n');
    for (const name of await readdir(programs)) await chmod(join(programs, name), 0o755);
    // It has a computer of its own elsewhere: here, all must stay in the folder, and nothing else may be ended.
    const script = servePostgres
      .replaceAll(/\/(?=lockage\/|tmp\/)/g, `${folder}/`)
      .replaceAll('kill -KILL -1', 'exit 9');
    expect(script).not.toContain('-KILL');
    const env = { PATH: `${programs}:${process.env['PATH']}` };
    const said = await new Promise<string>((resolve, reject) => {
      const child = execFile('sh', ['-c', script, 'fork', 'shop'], { env, timeout: 10_000 }, (error, stdout, stderr) =>
        error ? reject(new Error(`${error.message}: ${stderr}`)) : resolve(stdout),
      );
      child.stdin?.end('ALTER ROLE;\n\n');
    });
    expect(said).toBe('lockage: ready\n');
    expect(await readFile(join(folder, 'slots'), 'utf8')).toBe('');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
