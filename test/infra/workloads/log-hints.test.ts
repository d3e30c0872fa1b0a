import { expect, test } from 'vitest';
import { lastLinesOf } from '../../../infra/workloads/last-lines.ts';
import { logHint } from '../../../infra/workloads/log-hints.ts';
import { printable } from '../../../pipelines/text/printable.ts';
import { spec } from '../../pipelines/model/values.ts';

const web = spec('web-1.0.0');
const open = { ...web, hardening: { ...web.hardening, readOnly: false } };

test.each<[string, typeof web, RegExp | undefined]>([
  ["Error: EROFS: read-only file system, mkdir '/app/cache'", web, /`hardening\.tmpfs` of web.*`hardening\.readOnly`/],
  ['touch: /app/x: Read-only file system', web, /`hardening\.tmpfs`/],
  ['touch: /app/x: Read-only file system', open, undefined],
  ['exec /usr/bin/ping: operation not permitted', web, /`hardening\.capabilities` of web.*noNewPrivileges/],
  ["Error: EACCES: permission denied, open '/data/db'", web, /`hardening\.user`.*`hardening\.capabilities`/],
  ['exec /app/server: exec format error', web, /another kind of processor/],
  ['listening on 8080', web, undefined],
])('a log with %j', (line, of, expected) => {
  const hint = logHint(['first', line], of);
  if (expected) expect(hint).toMatch(expected);
  else expect(hint).toBeUndefined();
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
  expect(lines.map((line) => line.length)).toEqual([2002, 2002, 2002]);
});

test.each([
  ['\u001b[31mred\u0007', String.raw`\u001b[31mred\u0007`],
  ['a\tb ü 漢', 'a\tb ü 漢'],
  ['\u202eevil\r', String.raw`\u202eevil\u000d`],
])('%j is shown as %j', (text, shown) => {
  expect(printable(text)).toBe(shown);
});
