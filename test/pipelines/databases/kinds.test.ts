import { describe, expect, test } from 'vitest';
import {
  databaseKinds,
  kindNamed,
  kindOf,
  serverArguments,
  urlOf,
  variablesOf,
  workerVariables,
} from '../../../pipelines/databases/kinds.ts';

const address = { host: '127.0.0.1', port: 5432, user: 'shop', password: 'p', database: 'shop' };

describe('the kind of a database', () => {
  test.each([
    ['postgres', { env: { PGDATA: '/var/lib/postgresql/data' }, command: ['postgres'] }],
    ['mariadb', { env: { MARIADB_VERSION: '1:10.11' }, command: ['mariadbd'] }],
    ['mariadb', { env: {}, command: ['/usr/sbin/mysqld'] }],
    ['redis', { env: {}, command: ['redis-server', '--maxmemory', '64mb'] }],
  ])('is %s, as its image says', (kind, facts) => {
    expect(kindOf('db', 'some/image', facts)).toBe(kind);
  });

  test('is what the configuration says, before all', () => {
    expect(kindOf('db', 'some/image', { env: { PGDATA: '/x' }, command: [] }, 'redis')).toBe('redis');
  });

  test('that cannot be seen is refused with the key to set', () => {
    expect(() => kindOf('db', 'some/image', { env: {}, command: ['node'] })).toThrow(
      expect.objectContaining({ hint: 'Write `accessories.db.kind`: postgres, mariadb, redis.' }),
    );
  });

  test('that could be two is refused', () => {
    expect(() => kindOf('db', 'image', { env: { PGDATA: '/x', REDIS_VERSION: '7' }, command: [] })).toThrow(
      expect.objectContaining({ details: ['it could be postgres or redis'] }),
    );
  });
});

describe('the arguments of a server', () => {
  test.each([
    [[], []],
    [['postgres'], []],
    [
      ['/usr/bin/postgres', '-c', 'work_mem=8MB'],
      ['-c', 'work_mem=8MB'],
    ],
    [
      ['-c', 'work_mem=8MB'],
      ['-c', 'work_mem=8MB'],
    ],
  ])('of %j are %j', (command, expected) => {
    expect(serverArguments('db', 'postgres', command)).toEqual(expected);
  });

  test('of another program are refused: it would put the data elsewhere', () => {
    expect(() => serverArguments('db', 'redis', ['sh', '-c', 'exec redis-server'])).toThrow(
      expect.objectContaining({ hint: 'Let `accessories.db.command` begin with redis-server.' }),
    );
  });
});

describe('a fork', () => {
  test.each([
    ['postgres', 'postgres://shop:p@127.0.0.1:5432/shop'],
    ['mariadb', 'mysql://shop:p@127.0.0.1:5432/shop'],
    ['redis', 'redis://default:p@127.0.0.1:5432/0'],
  ] as const)('of %s has the URL %s', (kind, url) => {
    const login = kind === 'redis' ? kindNamed(kind).login({}) : {};
    expect(urlOf(kind, { ...address, ...login })).toBe(url);
  });

  test('with odd names has them encoded', () => {
    expect(urlOf('postgres', { ...address, user: 'a:b@c', password: 'p/?' })).toContain('//a%3Ab%40c:p%2F%3F@');
  });

  test.each(databaseKinds)('of %s gets its password by its stdin, never by an argument', (kind) => {
    const { fork, forkInput, login } = kindNamed(kind);
    const account = login({ POSTGRES_USER: 'shop', MARIADB_USER: 'shop' });
    const input = forkInput('the-password', account);
    expect(input).toContain('the-password');
    // An empty line ends what it reads.
    expect(input).toMatch(/^(.+\n)+$/);
    expect(fork([], account).join(' ')).not.toContain('the-password');
  });

  test('of PostgreSQL has no password in its log, on the one line that it reads', () => {
    const input = kindNamed('postgres').forkInput('p', { user: 'shop', database: 'x' });
    expect(input).toMatch(/^SET log_statement=none; .*SET log_min_error_statement=panic; ALTER ROLE [^\n]*\n$/);
  });

  test('has its account quoted', () => {
    expect(kindNamed('postgres').forkInput('p', { user: 'a"b', database: 'x' })).toMatch(
      / ALTER ROLE "a""b" PASSWORD 'p';\n$/,
    );
    expect(kindNamed('mariadb').forkInput('p', { user: "a'b", database: 'x' })).toContain(String.raw`'a\'b'@'%'`);
  });
});

test('each worker finds its own by number, and a client the first one by itself', () => {
  const found = workerVariables('postgres', [address, { ...address, port: 5433 }]);
  expect(found).toMatchObject({
    ...variablesOf('postgres', address),
    LOCKAGE_DATABASE_URL_1: urlOf('postgres', address),
    LOCKAGE_DATABASE_URL_2: urlOf('postgres', { ...address, port: 5433 }),
  });
  expect(workerVariables('postgres', [])).toEqual({});
});
