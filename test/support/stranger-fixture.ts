import { execFile } from 'node:child_process';
import { chmod } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import type { Answers } from './stranger.ts';

const run = promisify(execFile);

/** Where servers of ours are found. */
export interface Servers {
  readonly provider: string;
  readonly program: string;
}

/**
 * Calls both servers from a process of its own: of this user, or of `nobody`, which only root can become. The program for it
 * is put into the folder, which others may enter from here on.
 */
export async function asStranger(folder: string, { provider, program }: Servers, user: 'same' | 'nobody') {
  const file = join(folder, 'stranger.mjs');
  await build({
    entryPoints: [resolve(import.meta.dirname, 'stranger.ts')],
    outfile: file,
    bundle: true,
    format: 'esm',
    platform: 'node',
    banner: { js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);` },
    logLevel: 'error',
  });
  await chmod(folder, 0o755);
  const become = user === 'nobody' ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : ['env'];
  const [command, ...args] = [...become, process.execPath, file, provider, program];
  const { stdout } = await run(command, args, { cwd: '/' });
  return JSON.parse(stdout) as { provider: Answers; program: Answers };
}

/** Returns the answers that are not as expected. */
export function otherAnswers(answers: Answers, expected: RegExp): string[] {
  return Object.entries(answers).flatMap(([path, answer]) => (expected.test(answer) ? [] : [`${path}: ${answer}`]));
}
