import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { markOfThis, runsStill } from '../../../infra/system/process-mark.ts';

test('this process runs, and one that had its number before does not', async () => {
  const mark = await markOfThis();
  expect(await runsStill(mark)).toBe(true);
  expect(await runsStill({ ...mark, started: '1' })).toBe(process.platform !== 'linux');
});

test('one of an earlier boot is gone, and one of another computer is unknown', async () => {
  const mark = await markOfThis();
  expect(await runsStill({ ...mark, pidSpace: 'earlier pid:[1]' })).toBe(false);
  expect(await runsStill({ ...mark, pidSpace: `${mark.pidSpace.split(' ')[0]} pid:[1]` })).toBeUndefined();
  expect(await runsStill({ ...mark, machine: 'elsewhere' })).toBeUndefined();
});

test.each([
  ['SIGKILL', true],
  ['an end that calls it off', false],
] as const)('what is to run at the end of a process runs after %s: %s', async (_how, runs) => {
  const folder = mkdtempSync(join(tmpdir(), 'lm-'));
  try {
    const done = join(folder, 'done');
    const source = resolve(import.meta.dirname, '../../../infra/system/process.ts');
    const script = `import { startAtEnd } from ${JSON.stringify(source)};
      const off = startAtEnd(['touch', ${JSON.stringify(done)}]);
      if (process.argv[2] === 'off') { off(); process.exit(0); }
      console.log('started');
      setInterval(() => {}, 1000);`;
    const file = join(folder, 'main.mjs');
    await build({
      stdin: { contents: script, resolveDir: folder, loader: 'ts' },
      ...{ bundle: true, platform: 'node', format: 'esm', outfile: file, logLevel: 'error' },
    });
    const child = spawn(process.execPath, [file, ...(runs ? [] : ['off'])], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    if (runs) {
      await once(child.stdout, 'data');
      child.kill('SIGKILL');
    }
    await ended;
    if (runs) await expect.poll(() => existsSync(done)).toBe(true);
    else {
      await new Promise((resolved) => setTimeout(resolved, 500));
      expect(existsSync(done)).toBe(false);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
