import { execFileSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { buildSync } from 'esbuild';
import { expect, test } from 'vitest';
import { actorOf } from '../../../scripts/cli/actor.ts';

test('who acts is said by a variable, else it is the user', () => {
  expect(actorOf({ LOCKAGE_ACTOR: 'ci' })).toBe('ci');
  expect(actorOf({})).toMatch(new RegExp(`^.+@${hostname()}$`));
});

test.runIf(process.getuid?.() === 0)('a user without a line in passwd is called by number', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lockage-actor-'));
  try {
    chmodSync(folder, 0o755);
    const source = resolve(import.meta.dirname, '../../../scripts/cli/actor.ts');
    const stdin = { contents: `import { actorOf } from '${source}'; console.log(actorOf({}))`, resolveDir: folder };
    buildSync({ stdin, bundle: true, platform: 'node', format: 'esm', outfile: join(folder, 'actor.mjs') });
    const said = execFileSync(process.execPath, [join(folder, 'actor.mjs')], { uid: 43_434, encoding: 'utf8' });
    expect(said.trim()).toBe(`uid-43434@${hostname()}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
