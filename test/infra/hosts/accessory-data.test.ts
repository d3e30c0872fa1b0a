import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, type Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Engine } from '../../../infra/docker/api/client.ts';
import { exec as runExec } from '../../../infra/docker/api/exec.ts';
import { Transport } from '../../../infra/docker/api/transport.ts';
import { dumpInto, takeIn, trialBody } from '../../../infra/hosts/accessory-data.ts';
import { wholeBackup } from '../../../infra/hosts/backup-file.ts';
import { configured, postgres, type DataProgram } from '../../../infra/hosts/data-program.ts';
import { accessory } from '../../pipelines/model/values.ts';
import { ExecEngine } from '../../support/exec-engine.ts';

let folder: string;
let exec: ExecEngine;
let engine: Engine;
let port: number;
let file: string;
/** what the database has */
let data: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lockage-data-'));
  [file, data] = [join(folder, 'backup'), join(folder, 'data')];
  exec = new ExecEngine();
  port = await exec.listen();
  engine = new Engine({ host: 'prod-1', tcp: { host: '127.0.0.1', port } });
  exec.programs = join(folder, 'bin');
  mkdirSync(exec.programs);
  writeFileSync(data, rows('old'));
});

afterEach(() => {
  exec.close();
  rmSync(folder, { recursive: true, force: true });
});

const { signal } = new AbortController();
const rows = (text: string, count = 20_000) => `${text}\n`.repeat(count);
/** A database of one file, which is told to do as its configuration says. */
const copied = () => configured({ command: ['cat', data], restore: ['sh', '-c', `cat > ${data}; exit 0`] });

/** A program as psql and pg_dump are, of a database of one file: what is not committed did not happen. */
function installDatabase(): DataProgram {
  const install = (name: string, text: string) => {
    writeFileSync(join(exec.programs, name), `#!/bin/sh\n${text}`);
    chmodSync(join(exec.programs, name), 0o755);
  };
  install('pg_dump', `cat ${data}`);
  install(
    'psql',
    `case "$*" in *-c*) exit 0 ;; esac
sed -n '/^BEGIN;$/,$p' > ${data}.next
grep -q no_such_function ${data}.next && exit 3
grep -qx 'COMMIT;' ${data}.next || exit 0
sed -i '/^SET LOCAL /,/^[$]lockage[$];$/d' ${data}.next
grep -vx -e 'BEGIN;' -e 'COMMIT;' -e '' -e '.echo .*' ${data}.next > ${data}
sed -n 's/^.echo //p' ${data}.next`,
  );
  return postgres;
}

const programs: readonly [string, () => DataProgram][] = [
  ['PostgreSQL', installDatabase],
  ['commands of the configuration', copied],
];

const backUp = (program: DataProgram) =>
  dumpInto(engine, 'shop-prod-db', program, { file, signal, check: async () => undefined });
async function restore(program: DataProgram): Promise<string> {
  const backup = await wholeBackup(file, program.ownEnd);
  return takeIn(engine, 'shop-prod-db', program, { backup, signal });
}
const failure = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe.each(programs)('by %s', (_, programNow) => {
  test('data is written whole, with a mark at its end, and is the same again', async () => {
    const program = programNow();
    const { bytes, sha256 } = await backUp(program);
    const written = readFileSync(file, 'utf8');
    expect([bytes, written]).toEqual([statSync(file).size, `${rows('old')}\n-- lockage: complete\n`]);
    writeFileSync(data, 'new');
    expect([sha256, await restore(program)]).toEqual(Array(2).fill(createHash('sha256').update(written).digest('hex')));
    expect(readFileSync(data, 'utf8')).toBe(rows('old'));
  });

  test.each([
    ['at once', 1],
    ['in the middle', 50_000],
    ['before its last bytes', 80_020],
  ])('a backup whose connection ends %s is none, and the earlier one stays', async (_when, output) => {
    const program = programNow();
    writeFileSync(file, 'earlier');
    exec.cuts = { output };
    await expect(backUp(program)).rejects.toThrow('prod-1: shop-prod-db dump broke off before its end');
    expect(readFileSync(file, 'utf8')).toBe('earlier');
    expect(readdirSync(folder).filter((name) => name.includes('draft'))).toEqual([]);
  });

  test.each([
    ['at once', 1],
    ['in the middle', 50_000],
    ['before its last bytes', 79_999],
  ])('a restore whose connection ends %s changes nothing, and does not say that it was done', async (_when, stdin) => {
    const program = programNow();
    await backUp(program);
    writeFileSync(data, 'new');
    exec.cuts = { stdin };
    expect(await failure(restore(program))).toBeInstanceOf(Error);
    expect(readFileSync(data, 'utf8')).toBe('new');
  });

  test.each(['', 'x', rows('old', 10)])('a file without the end of a backup is refused (%#)', async (text) => {
    writeFileSync(file, text);
    expect(await failure(restore(programNow()))).toMatchObject({
      name: 'LockageError',
      message: `${file} is not a whole backup: its last line is missing`,
    });
    expect(readFileSync(data, 'utf8')).toBe(rows('old'));
  });

  test('a backup that lost its end on the way is refused', async () => {
    const program = programNow();
    await backUp(program);
    writeFileSync(file, readFileSync(file, 'utf8').slice(0, -1));
    expect(await failure(restore(program))).toMatchObject({ name: 'LockageError' });
  });

  test('a dump that fails is told with its exit code', async () => {
    rmSync(data);
    await expect(backUp(programNow())).rejects.toThrow('dump ended with exit code 1');
  });
});

test('a backup is proven in a container that has all that its accessory needs to work', () => {
  const made = {
    Config: { Env: ['A=1'], Cmd: ['postgres'], Healthcheck: { Test: ['CMD', 'pg_isready'] } },
    HostConfig: {
      ...{ Memory: 512, NanoCpus: 5e8, ShmSize: 2 ** 28, Init: true, NetworkMode: 'shop-prod' },
      Ulimits: [{ Name: 'memlock', Soft: -1, Hard: -1 }],
    },
    Image: 'sha256:1',
    Mounts: [],
  };
  const place = { accessory: accessory('db'), found: made as unknown as Parameters<typeof trialBody>[0]['found'] };
  expect(trialBody(place, {})).toMatchObject({
    ...made.Config,
    HostConfig: { ...made.HostConfig, NetworkMode: 'none' },
  });
  const { ShmSize: _, Ulimits: __, Init: ___, ...plain } = made.HostConfig;
  const found = { ...place.found, HostConfig: { ...plain, Ulimits: null } } as unknown as typeof place.found;
  const bare = trialBody({ ...place, found }, {}).HostConfig;
  for (const key of ['ShmSize', 'Ulimits', 'Init']) expect(bare).not.toHaveProperty(key);
});

test('what a killed backup left of the data goes with the next one, and what is being written stays', async () => {
  // No process has the first number: it is higher than any can be.
  const [left, own] = [`${file}.4194305.0e1.draft`, `${file}.${process.pid}.0e1.draft`];
  for (const draft of [left, own]) writeFileSync(draft, 'half');
  await backUp(copied());
  expect([left, own, file].map((each) => existsSync(each))).toEqual([false, true, true]);
});

test.each<[string, Record<string, string>, string]>([
  ['nothing', {}, '-U postgres -d postgres'],
  ['a user', { POSTGRES_USER: 'shop' }, '-U shop -d shop'],
  ['a user and a database', { POSTGRES_USER: 'shop', POSTGRES_DB: 'orders' }, '-U shop -d orders'],
  ['secrets', { POSTGRES_USER_FILE: 'user', POSTGRES_DB_FILE: 'database' }, '-U its user -d its database'],
  ['a secret', { POSTGRES_USER: 'shop', POSTGRES_DB_FILE: 'database' }, '-U shop -d its database'],
  ['a secret that is not there', { POSTGRES_USER_FILE: 'missing' }, '-U postgres -d postgres'],
])('PostgreSQL is asked as the user and the database of its set-up: %s', (_what, variables, login) => {
  for (const name of ['psql', 'pg_dump']) {
    writeFileSync(join(exec.programs, name), `#!/bin/sh\necho ${name} "$@"\n`);
    chmodSync(join(exec.programs, name), 0o755);
  }
  for (const name of ['user', 'database']) writeFileSync(join(folder, name), `its ${name}\n`);
  const inFolder = ([name, value]: [string, string]) => [name, name.endsWith('_FILE') ? join(folder, value) : value];
  const env = {
    PATH: `${exec.programs}:/usr/bin:/bin`,
    ...Object.fromEntries(Object.entries(variables).map(inFolder)),
  };
  for (const [shell = '', ...args] of [postgres.dump, postgres.intakeOf({ size: 1, length: 1 }).argv]) {
    const said = execFileSync(shell, args, { env, encoding: 'utf8', input: '' });
    expect(said.split('\n')[0]).toContain(`psql ${login} `);
  }
});

test('a restore drops what is there first for a backup of all of it, and for nothing that was written by hand', () => {
  const drops = (size: number, length: number) => postgres.intakeOf({ size, length }).around[0].includes('DROP SCHEMA');
  expect([drops(100, 80), drops(100, 100)]).toEqual([true, false]);
});

test('what PostgreSQL refuses was rolled back for certain', async () => {
  const program = installDatabase();
  writeFileSync(data, 'SELECT no_such_function();\n');
  await backUp(program);
  writeFileSync(data, 'new');
  expect(await failure(restore(program))).toMatchObject({
    name: 'RolledBackError',
    message: 'prod-1: shop-prod-db did not take the data in: exit code 3',
  });
  expect(readFileSync(data, 'utf8')).toBe('new');
});

test.each(['', '\n\\unrestrict AbC3\n\n'])('what pg_dump wrote by hand is known by its own end (%j)', async (last) => {
  writeFileSync(file, `SELECT 1;\n--\n-- PostgreSQL database dump complete\n--\n${last}`);
  expect(await wholeBackup(file, postgres.ownEnd)).toMatchObject({ length: statSync(file).size });
});

test('a program of the configuration that fails may have taken in a part, and one that never began has not', async () => {
  await backUp(copied());
  const fails = configured({ command: ['true'], restore: ['sh', '-c', `cat > ${data}; exit 7`] });
  expect(await failure(restore(fails))).toMatchObject({ name: 'LockageError', message: /exit code 7/ });
  writeFileSync(join(exec.programs, 'mktemp'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
  expect(await failure(restore(copied()))).toMatchObject({ name: 'RolledBackError' });
});

/** A connection that is reset once it is there. */
class ResetTransport extends Transport {
  override async hijack(): Promise<Duplex> {
    const socket = new PassThrough();
    const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
    setTimeout(() => socket.destroy(reset), 20);
    return socket;
  }
}

test('a connection that is reset is no sign of unread input where there is none', async () => {
  const transport = new ResetTransport({ host: 'prod-1', tcp: { host: '127.0.0.1', port } });
  const ended = runExec({ transport, prefix: '/v1.43' }, 'shop-prod-db', ['true'], {});
  await expect(ended).rejects.toThrow('the connection broke: read ECONNRESET');
});

test('a command that ends without reading its input has its exit code, and is known not to have read it', async () => {
  const stdin = Buffer.alloc(4_000_000);
  const unread = await engine.exec('shop-prod-db', ['sh', '-c', 'exit 4'], { stdin });
  expect([unread.code, unread.wrote]).toEqual([4, false]);
  const read = await engine.exec('shop-prod-db', ['sh', '-c', 'cat > /dev/null'], { stdin });
  expect([read.code, read.wrote]).toEqual([0, true]);
});
