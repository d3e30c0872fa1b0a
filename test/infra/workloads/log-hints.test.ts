import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { Engine } from '../../../infra/docker/api/client.ts';
import { untilAccessoryWorks } from '../../../infra/workloads/foundation/accessory-container.ts';
import { lastLinesOf } from '../../../infra/workloads/last-lines.ts';
import { accessoryHint, logHint, remedyOf, symptoms } from '../../../infra/workloads/log-hints.ts';
import { detailsOf } from '../../../pipelines/errors.ts';
import { printable } from '../../../pipelines/text/printable.ts';
import { spec } from '../../pipelines/model/values.ts';

const web = spec('web-1.0.0');
const open = { ...web, hardening: { ...web.hardening, readOnly: false } };

test.each<[string, typeof web, RegExp | undefined]>([
  ["Error: EROFS: read-only file system, mkdir '/app/cache'", web, /`hardening\.tmpfs` of web.*`hardening\.readOnly`/],
  ['touch: /app/x: Read-only file system', web, /`hardening\.tmpfs`/],
  ['OSError: [Errno 30] Read-only file system: b"/app/x"', web, /`hardening\.tmpfs`/],
  ['touch: /app/x: Read-only file system', open, undefined],
  ['exec /usr/bin/ping: operation not permitted', web, /`hardening\.capabilities` of web.*noNewPrivileges/],
  ["Error: EACCES: permission denied, open '/data/db'", web, /`hardening\.user`.*`hardening\.capabilities`/],
  ['PermissionError: [Errno 13] Permission denied: "/srv/x"', web, /`hardening\.user`/],
  ['Error: listen EACCES: permission denied 0.0.0.0:80', web, /listen on a port below 1024: .*CAP_NET_BIND_SERVICE/],
  ['nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)', web, /below 1024/],
  ['listen tcp :443: bind: permission denied', web, /below 1024/],
  ['AH00072: make_sock: could not bind to address [::]:80: (13)Permission denied', web, /below 1024/],
  ['[ALERT] cannot bind socket (Permission denied) [0.0.0.0:80]', web, /below 1024/],
  ['Error: listen EACCES: permission denied ::1:8080', web, /none of the rights of root/],
  ['listen tcp [::1]:8080: bind: permission denied', web, /none of the rights of root/],
  ['12:30:45 listen unix /run/web.sock: bind: permission denied', web, /none of the rights of root/],
  ['2024-05-01T12:30:45Z open /data/x: permission denied', web, /none of the rights of root/],
  ['app.js:12: EACCES: permission denied, mkdir "/data"', web, /none of the rights of root/],
  ['listening on port 80\nopen /data/x: permission denied', web, /none of the rights of root/],
  ["Error: EACCES: permission denied, open '/data:8080'", web, /none of the rights of root/],
  ['exec /app/server: exec format error', web, /another kind of processor.*`build\.platform`/],
  ['standard_init_linux.go:228: exec user process caused: exec format error', web, /another kind of processor/],
  ['write /tmp/upload: no space left on device', web, /`hardening\.tmpfs`/],
  ['ENOSPC: no space left on device, write', web, /`hardening\.tmpfs`/],
  ['could not resize shared memory segment "/PostgreSQL.1": No space left on device', web, /`limits\.shmSize`/],
  ['worker was ended by SIGBUS', web, /`limits\.shmSize`/],
  ['error while loading shared libraries: libpq.so.5: cannot open shared object file', web, /lacks a library/],
  ["/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found", web, /lacks a library/],
  ['Error relocating /app/server: __printf_chk: symbol not found', web, /lacks a library/],
  [
    'Error loading shared library libgcc_s.so.1: No such file or directory (needed by /app/server)',
    web,
    /lacks a library/,
  ],
  ['/tmp/jna-1/jna.tmp: failed to map segment from shared object', web, /exec: true/],
  ['unable to find user node: no matching entries in passwd file', web, /`hardening\.user`/],
  ["KeyError: 'getpwuid(): uid not found: 1000'", web, /`hardening\.user`/],
  ['initdb: error: could not look up effective user ID 1000: user does not exist', web, /`hardening\.user`/],
  ['exec: "serve": executable file not found in $PATH: unknown', web, /`command` of web/],
  ['exec /app/run.sh: no such file or directory: unknown', web, /interpreter/],
  ['exec /app/run.sh: no such file or directory', web, /interpreter.*`command` of web/],
  ['[FATAL tini (7)] exec serve failed: No such file or directory', web, /interpreter.*`command` of web/],
  ['standard_init_linux.go:228: exec user process caused: no such file or directory', web, /interpreter/],
  ["/usr/bin/env: 'bash': No such file or directory", web, /interpreter/],
  ["env: can't execute 'node': No such file or directory", web, /interpreter/],
  ['/bin/sh: 1: node: not found', web, /interpreter/],
  ['/start.sh: line 3: gunicorn: command not found', web, /interpreter/],
  ['standard_init_linux.go:228: exec user process caused: permission denied', web, /no execute permission/],
  ['exec start.sh: permission denied', web, /no execute permission/],
  ['exec: "/start.sh": permission denied: unknown', web, /no execute permission.*`command` of web/],
  ['[FATAL tini (7)] exec /start.sh failed: Permission denied', web, /no execute permission/],
  ['Error: listen EADDRINUSE: address already in use :::8080', web, /`port` of web/],
  ['OSError: [Errno 98] Address already in use', web, /`port` of web/],
  [' (exit code 137, out of memory)', web, /`limits\.memory` of web/],
  ['FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory', web, /`limits\.memory`/],
  ['java.lang.OutOfMemoryError: Java heap space', web, /`limits\.memory`/],
  ['accept: too many open files', web, /`limits\.files`/],
  ['runtime: failed to create new OS thread (have 5 already; errno=11)', web, /`limits\.pids`/],
  ["RuntimeError: can't start new thread", web, /`limits\.pids`/],
  ['sh: fork: retry: Resource temporarily unavailable', web, /`limits\.pids`/],
  ['memory locking requested for elasticsearch process but memory is not locked', web, /memlock: unlimited/],
  [
    'ulimit: open files: cannot modify limit: Operation not permitted',
    web,
    /`limits\.files` of web.*`limits\.ulimits`/,
  ],
  ['error setting rlimit type 8: operation not permitted', web, /`limits\.ulimits`/],
  ['sqlite3.OperationalError: attempt to write a readonly database', web, /`hardening\.tmpfs`/],
  [
    'sudo: The "no new privileges" flag is set, which prevents sudo from running as root.',
    web,
    /noNewPrivileges` of web to false/,
  ],
  ['java.net.UnknownHostException: database', web, /`dns` of web/],
  ["wget: bad address 'db'", web, /`dns` of web/],
  ['s6-overlay-suexec: fatal: can only run as pid 1', web, /`init` of web to false/],
  ['getaddrinfo ENOTFOUND database', web, /`dns` of web.*`extraHosts` of web/],
  ['psql: could not translate host name "db": Temporary failure in name resolution', web, /leads nowhere/],
  ['listening on 8080', web, undefined],
  ['GET /permissions 200', web, undefined],
  ['GET /page: not found', web, undefined],
  ['template index.html: no such file or directory', web, undefined],
])('a log with %j', (line, of, expected) => {
  const hint = logHint(['first', line], of);
  if (expected) expect(hint).toMatch(expected);
  else expect(hint).toBeUndefined();
});

test.each<[string, RegExp | undefined]>([
  ['memory locking requested for elasticsearch process but memory is not locked', /`limits\.ulimits` of the accessory/],
  ['could not resize shared memory segment "/PostgreSQL.1": No space left on device', /`limits\.shmSize` of the acc/],
  ['out of memory', /`limits\.memory` of the accessory/],
  ['s6-overlay-suexec: fatal: can only run as pid 1', /`init` of the accessory to false/],
  ['getaddrinfo ENOTFOUND ldap', /`dns` of the accessory and `extraHosts`/],
  ['exec: "postgress": executable file not found in $PATH: unknown', /`command` of the accessory/],
  // It may write its files, as Docker lets it, and no key of ours says otherwise.
  ['touch: /app/x: Read-only file system', undefined],
  ['exec /app/server: exec format error', undefined],
  ['ready to accept connections', undefined],
])('an accessory whose log has %j', (line, expected) => {
  const hint = accessoryHint(['first', line]);
  if (expected) expect(hint).toMatch(expected);
  else expect(hint).toBeUndefined();
});

test('no remedy has a place for a key that is not there', () => {
  for (const { keys, remedy } of symptoms) expect(remedy.split('KEY')).toHaveLength(keys.length + 1);
});

test('docs/troubleshooting.md tells the same', async () => {
  const file = path.resolve(import.meta.dirname, '../../../docs/troubleshooting.md');
  const rows = symptoms.map(
    (symptom) => `| ${symptom.name} | ${symptom.cause} | ${remedyOf(symptom, (key) => `\`${key}\``)} |`,
  );
  const text = (await readFile(file, 'utf8')).replaceAll(/ +\|/g, ' |');
  expect(text.split('\n')).toEqual(expect.arrayContaining(rows));
});

test('a log that floods is read to 64 KiB, and a line kept to 2000 characters', async () => {
  let sent = 0;
  async function* flood() {
    for (;;) {
      sent += 1;
      yield { stream: 'stdout' as const, line: `${sent} ${'x'.repeat(10_000)}` };
    }
  }
  const lines = await lastLinesOf(flood(), 3);
  expect([sent, lines.length]).toEqual([7, 3]);
  expect(lines.map((line) => line.length)).toEqual([2000, 2000, 2000]);
});

test.each([
  ['ends there', 1987],
  ['is cut there', 1995],
  ['begins after it', 2500],
  ['begins the line', 0],
  ['is in a short line', 10],
])('a secret of a long line that %s is shown in no part', async (what, at) => {
  const secret = 'hunter2-of-prod';
  const line = `${'x'.repeat(at)}${secret}${what.includes('short') ? '' : 'y'.repeat(3000)}`;
  const output = (async function* () {
    yield { stream: 'stdout' as const, line };
  })();
  const [shown = ''] = await lastLinesOf(output, 3, (text) => text.replaceAll(secret, '[secret]'));
  expect(shown).not.toContain('hunt');
  expect(shown.length).toBeLessThan(2010);
});

test('a secret in the output of an accessory that ended is shown in no part', async () => {
  const secret = 'hunter2-of-prod';
  const engine = {
    host: 'prod-1',
    inspectContainer: async () => ({ Config: {}, RestartCount: 0, State: { Running: false, ExitCode: 1 } }),
    async *logs() {
      yield { stream: 'stderr' as const, line: `${'x'.repeat(1995)}${secret}` };
    },
  } as unknown as Engine;
  const mask = (text: string) => text.replaceAll(secret, '[secret]');
  const error = await untilAccessoryWorks(engine, 'shop-prod-db', 1000, { mask }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ message: 'prod-1: shop-prod-db ended with exit code 1' });
  expect(detailsOf(error).join('\n')).toContain('last log lines of shop-prod-db:');
  expect(detailsOf(error).join('\n')).not.toContain('hunt');
});

test.each([
  ['\u001b[31mred\u0007', String.raw`\u001b[31mred\u0007`],
  ['a\tb ü 漢', 'a\tb ü 漢'],
  ['\u202eevil\r', String.raw`\u202eevil\u000d`],
])('%j is shown as %j', (text, shown) => {
  expect(printable(text)).toBe(shown);
});
