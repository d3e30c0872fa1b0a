import { randomBytes } from 'node:crypto';
import { runToEnd, startAtEnd } from '../../infra/system/process.ts';
import { LockageError, messageOf } from '../../pipelines/errors.ts';
import type { ConsoleTerminal } from './terminal.ts';

/** Milliseconds that a command for one of them may take. */
const commandTimeout = 10 * 60_000;

/** An environment that the tests of one worker have to themselves. */
export interface WorkerEnvironment {
  readonly name: string;
  readonly urls: readonly { readonly role: string; readonly url: string }[];
}

interface Wanted {
  /** an environment, or one of its revisions */
  readonly from: string;
  readonly release?: string | undefined;
  readonly count: number;
  /** after which their host removes them, whatever becomes of this command: as `4h` */
  readonly ttl: string;
  readonly terminal: Pick<ConsoleTerminal, 'step' | 'note'>;
  readonly signal: AbortSignal;
}

/**
 * Makes reproductions of an environment, runs `work` with them, and removes them: also when this process is killed, by a program that
 * waits for its end, and after their time by their host. Throws LockageError.
 */
export async function withEnvironments(
  { from, release, count, ttl, terminal, signal }: Wanted,
  work: (environments: readonly WorkerEnvironment[]) => Promise<number>,
): Promise<number> {
  const run = randomBytes(3).toString('hex');
  const made: { readonly environment: WorkerEnvironment; readonly callOff: () => void }[] = [];
  try {
    // One after the other: each takes ports that are free when it looks.
    for (let worker = 1; worker <= count; worker += 1) {
      signal.throwIfAborted();
      const name = `test-${run}-${worker}`;
      terminal.step('environment', `${name}, as ${from}`);
      const down = [process.execPath, program(), 'env', 'down', name, '--yes', '--wait', '5m'];
      // What does not come up is left to it, too.
      const callOff = startAtEnd(down, process.cwd());
      const of = release === undefined ? [] : ['--release', release];
      const up = await lockageEnv(['up', name, '--from', from, '--ttl', ttl, ...of], signal);
      const { urls } = JSON.parse(up) as Pick<WorkerEnvironment, 'urls'>;
      made.push({ environment: { name, urls }, callOff });
    }
    return await work(made.map(({ environment }) => environment));
  } finally {
    for (const { environment, callOff } of made.toReversed()) {
      await lockageEnv(['down', environment.name]).then(callOff, (error: unknown) =>
        terminal.note(`${environment.name} is still there: ${messageOf(error)}`),
      );
    }
  }
}

/** Returns the variables that lead workers to their environments: the first role with traffic by itself, and each role by name. */
export function environmentVariables(environments: readonly WorkerEnvironment[]): Record<string, string> {
  const [first] = environments;
  const urls = environments.flatMap(({ name, urls: own }, index) => [
    [`LOCKAGE_ENVIRONMENT_${index + 1}`, name],
    ...own.slice(0, 1).map(({ url }) => [`LOCKAGE_URL_${index + 1}`, url]),
    ...own.map(({ role, url }) => [`LOCKAGE_URL_${roleName(role)}_${index + 1}`, url]),
  ]);
  const [own] = first?.urls ?? [];
  return {
    ...(own ? { LOCKAGE_URL: own.url } : {}),
    ...(Object.fromEntries(urls) as Record<string, string>),
    LOCKAGE_TEST_WORKERS: String(environments.length),
  };
}

function roleName(role: string): string {
  return role.toUpperCase().replaceAll('-', '_');
}

/** The path of this command line. */
function program(): string {
  return process.argv[1] ?? '';
}

async function lockageEnv(words: readonly string[], signal?: AbortSignal): Promise<string> {
  // A source of a secret may be any variable.
  const options = { cwd: process.cwd(), env: process.env, called: 'lockage', ...(signal ? { signal } : {}) };
  const argv = [program(), 'env', ...words, '--yes', '--json'];
  const { code, stdout, stderr } = await runToEnd(process.execPath, argv, commandTimeout, options);
  if (code === 0) return stdout;
  const said = errorIn(stdout);
  throw new LockageError(`\`lockage env ${words.slice(0, 2).join(' ')}\` ended with exit code ${code}`, {
    details: [said ?? stderr.trim().split('\n').at(-1) ?? ''],
  });
}

function errorIn(stdout: string): string | undefined {
  try {
    const { error } = JSON.parse(stdout) as { error?: { message?: unknown } };
    return typeof error?.message === 'string' ? error.message : undefined;
  } catch {
    return undefined;
  }
}
