/**
 * Runs a job of a workflow as GitHub's runner does, as far as the workflows here need it: the `run` steps one after the other
 * in a checkout, with `bash -e`, the variables of the job, and what a step leaves in GITHUB_ENV. Steps that use an action are
 * left out, and listed.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { parse } from 'yaml';

interface Step {
  readonly name?: string;
  readonly if?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly env?: Readonly<Record<string, string>>;
}

interface Job {
  readonly steps: readonly Step[];
}

/** Values of expressions by their names: `inputs.environment`, `secrets.NAME`. */
export type Contexts = Readonly<Record<string, string>>;

export interface RanJob {
  /** of the first step that failed; 0: all went well */
  readonly code: number;
  readonly output: string;
  /** actions that were left out */
  readonly used: readonly string[];
}

/** Runs a job's steps in a checkout. What is no name in `contexts` is an error, as on GitHub it would be empty. */
export async function runJob(
  file: string,
  job: string,
  {
    checkout,
    contexts,
    env,
  }: { readonly checkout: string; readonly contexts: Contexts; readonly env: NodeJS.ProcessEnv },
): Promise<RanJob> {
  const { jobs } = parse(await readFile(file, 'utf8')) as { readonly jobs: Readonly<Record<string, Job>> };
  const temporary = await mkdtemp(join(tmpdir(), 'runner-'));
  const variables = join(temporary, 'env');
  const known: Record<string, string | undefined> = {
    ...env,
    CI: 'true',
    GITHUB_ACTIONS: 'true',
    GITHUB_ENV: variables,
  };
  const used: string[] = [];
  let output = '';
  try {
    for (const step of jobs[job]?.steps ?? []) {
      if (step.if !== undefined && !isTrue(step.if, contexts)) continue;
      if (step.uses !== undefined) used.push(step.uses);
      if (step.run === undefined) continue;
      if (step.run.includes('${{')) throw new Error(`an expression in a shell: ${step.run}`);
      const own = Object.entries(step.env ?? {}).map(([name, value]) => [name, filled(value, contexts)]);
      await writeFile(variables, '');
      const ran = await shell(step.run, checkout, { ...known, ...Object.fromEntries(own) });
      output += ran.output;
      if (ran.code !== 0) return { code: ran.code, output, used };
      for (const line of (await readFile(variables, 'utf8')).split('\n')) {
        const [name = '', ...value] = line.split('=');
        if (name !== '') known[name] = value.join('=');
      }
    }
    return { code: 0, output, used };
  } finally {
    await rm(temporary, { recursive: true });
  }
}

async function shell(script: string, cwd: string, env: NodeJS.ProcessEnv) {
  const child = spawn('bash', ['-e', '-o', 'pipefail', '-c', script], { cwd, env });
  child.stdin.end();
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  return { code: code ?? 1, output: `${stdout}${stderr}` };
}

function filled(value: string, contexts: Contexts): string {
  return value.replaceAll(/\$\{\{ ([\w.]+) \}\}/g, (_all, name: string) => valueOf(name, contexts));
}

function isTrue(condition: string, contexts: Contexts): boolean {
  const [, name = '', operator, value] = /^([\w.]+) (!=|==) '([^']*)'$/.exec(condition) ?? [];
  return (valueOf(name, contexts) === value) === (operator === '==');
}

function valueOf(name: string, contexts: Contexts): string {
  const value = contexts[name];
  if (value === undefined) throw new Error(`nothing is known of ${name}`);
  return value;
}
