import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { locksOn, removeLocksOf } from '../../../infra/pulumi/stale-lock.ts';

let folder: string;
let locks: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockage-locks-'));
  locks = join(folder, '.pulumi/locks/organization/shop/prod');
  mkdirSync(locks, { recursive: true });
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const prod = { project: 'shop', stack: 'prod' };
const holder = { machine: 'desk', pid: 4711 };
const lock = (name: string, content: object | string) =>
  writeFileSync(join(locks, name), typeof content === 'string' ? content : JSON.stringify(content));

test('only the locks of the process that is gone are removed', async () => {
  lock('a.json', { pid: 4711, username: 'anna', hostname: 'desk' });
  lock('b.json', { pid: 4712, username: 'anna', hostname: 'desk' });
  lock('c.json', { pid: 4711, username: 'anna', hostname: 'laptop' });
  lock('d.json', '{"pid":47');
  expect(await removeLocksOf({ backend: `file://${folder}` }, prod, holder)).toBe(true);
  expect(readdirSync(locks).sort()).toEqual(['b.json', 'c.json', 'd.json']);
});

test('no locks are fine, and other backends are asked in their own way', async () => {
  expect(await removeLocksOf({ backend: `file://${folder}` }, { ...prod, stack: 'qa' }, holder)).toBe(true);
  expect(await removeLocksOf({ backend: 's3://bucket' }, prod, holder)).toBe(false);
});

test('who has locks is read from those that are whole', async () => {
  lock('a.json', { pid: 4711, username: 'anna', hostname: 'desk', timestamp: '2026-01-02T03:04:05Z' });
  lock('b.json', '{"pid":47');
  const anna = { user: 'anna', machine: 'desk', pid: 4711, since: '2026-01-02T03:04:05Z' };
  expect(await locksOn({ backend: `file://${folder}` }, prod)).toEqual([anna]);
  expect(await locksOn({ backend: `file://${folder}` }, { ...prod, stack: 'qa' })).toEqual([]);
  expect(await locksOn({ backend: 's3://bucket' }, prod)).toBeUndefined();
});
