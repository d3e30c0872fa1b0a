import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Project } from '../../../pipelines/model/environment.ts';
import { auditLogOf } from '../../../scripts/cli/open-audit.ts';
import { nextEntry } from '../../support/audit-lines.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockage-audit-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** The log of a project whose state is in a bucket, as one operator's computer opens it. */
function logOf(operator: string, more: Partial<Project> = {}) {
  const project = { app: 'shop', root: '/shop', backend: 's3://states', ...more } as Project;
  const own = join(folder, operator);
  return auditLogOf(project, {
    folder: own,
    terminal: { note: () => undefined },
    signal: new AbortController().signal,
  });
}

describe('the audit log of a project whose backend is no folder', () => {
  test('is one for all operators where a folder is named', async () => {
    const auditLog = pathToFileURL(join(folder, 'team')).href;
    const [anna, ben] = [logOf('anna', { auditLog }), logOf('ben', { auditLog })];
    expect([anna.isShared, ben.isShared]).toEqual([true, true]);
    await Promise.all([anna, ben].map((log) => log.append((last) => nextEntry(last))));
    await ben.append((last) => nextEntry(last));
    expect((await anna.last())?.entry.number).toBe(3);
    expect(await readdir(join(folder, 'team', 'audit'))).toEqual(['shop']);
    expect((await logOf('anna').last())?.entry.number).toBeUndefined();
  });

  test('is one of each computer where none is, and says so', async () => {
    const [anna, ben] = [logOf('anna'), logOf('ben')];
    expect([anna.isShared, ben.isShared]).toEqual([false, false]);
    await anna.append((last) => nextEntry(last));
    expect(await ben.last()).toBeUndefined();
  });

  test('in another place is another one: what was seen of one is not asked of the other', async () => {
    const [first, second] = ['one', 'two'].map((name) =>
      logOf('anna', { auditLog: pathToFileURL(join(folder, name)).href }),
    );
    await first?.append((last) => nextEntry(last));
    expect([(await first?.seen())?.number, await second?.seen()]).toEqual([1, undefined]);
  });
});
