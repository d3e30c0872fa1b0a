import { execFile } from 'node:child_process';
import { chmod } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import type { EngineAnswers } from './engine-stranger.ts';
import type { Answers } from './stranger.ts';

const run = promisify(execFile);

/** Where servers of ours are found. */
export interface Servers {
  readonly provider: string;
  readonly program: string;
}

/** Who calls: a process of this user, or of `nobody`, which only root can become. */
type Stranger = 'same' | 'nobody';

/**
 * Calls both servers from a process of its own. The program for it is put into the folder, which others may enter from here
 * on.
 */
export async function asStranger(folder: string, { provider, program }: Servers, user: Stranger) {
  const answers = await runAs(user, folder, 'stranger', [provider, program]);
  return answers as { provider: Answers; program: Answers };
}

/** Asks Pulumi's engine at these addresses what it knows of a resource, in the same way. */
export async function askEngine(folder: string, urn: string, addresses: readonly string[], user: Stranger) {
  return (await runAs(user, folder, 'engine-stranger', [urn, ...addresses])) as EngineAnswers;
}

async function runAs(user: Stranger, folder: string, program: string, given: readonly string[]): Promise<unknown> {
  const file = join(folder, `${program}.mjs`);
  await build({
    entryPoints: [resolve(import.meta.dirname, `${program}.ts`)],
    outfile: file,
    bundle: true,
    format: 'esm',
    platform: 'node',
    banner: { js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);` },
    logLevel: 'error',
  });
  await chmod(folder, 0o755);
  const become = user === 'nobody' ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : ['env'];
  const [command = '', ...args] = [...become, process.execPath, file, ...given];
  const { stdout } = await run(command, args, { cwd: '/' });
  return JSON.parse(stdout) as unknown;
}

/** Returns the answers that are not as expected. */
export function otherAnswers(answers: Answers, expected: RegExp): string[] {
  return Object.entries(answers).flatMap(([path, answer]) => (expected.test(answer) ? [] : [`${path}: ${answer}`]));
}
