import { once } from 'node:events';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { valueOf } from '../../infra/context/secret-bytes.ts';
import { startProcess } from '../../infra/system/process.ts';
import { Tail } from '../../infra/system/tail.ts';
import { LockageError } from '../../pipelines/errors.ts';
import type { SecretSource } from '../../pipelines/model/secret-source.ts';
import { Redactor } from '../tools/redactor.ts';

const commandDeadline = 30_000;
/**
 * The longest value: a secret is a password, key or certificate, and the engine accepts no more than this for one
 * either.
 */
const maximumLength = 500 * 1024;
/** The most that a command may print; more is no secret, and must not fill the memory. */
const maximumOutput = 2 * maximumLength;

/** The place where secrets are read: relative files and commands from `root`, variables from `env`. */
export interface SecretContext {
  readonly root: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Reads the named secrets, all at the same time. One newline at the end of a file or of a command's output is not part
 * of the value. Commands run without a shell and have 30 seconds.
 * @throws LockageError (refused) with every problem and never a value.
 */
export async function readSecrets(
  sources: Readonly<Record<string, SecretSource>>,
  names: Iterable<string>,
  context: SecretContext,
): Promise<Record<string, string>> {
  const wanted = [...new Set(names)].sort();
  const results = await Promise.all(
    wanted.map(async (name) => ({ name, result: await readSecret(sources, name, context) })),
  );
  const problems = results.flatMap(({ name, result }) => ('problem' in result ? [`${name}  ${result.problem}`] : []));
  if (problems.length > 0) {
    throw new LockageError(
      problems.length === 1 ? 'a secret cannot be read' : `${problems.length} secrets cannot be read`,
      {
        details: problems,
        hint: 'Their sources are under secrets in lockage.yaml and the environment’s file.',
      },
    );
  }
  return Object.fromEntries(results.map(({ name, result }) => [name, 'value' in result ? result.value : '']));
}

type Reading = { readonly value: string } | { readonly problem: string };

async function readSecret(
  sources: Readonly<Record<string, SecretSource>>,
  name: string,
  context: SecretContext,
): Promise<Reading> {
  const source = Object.hasOwn(sources, name) ? sources[name] : undefined;
  if (source === undefined) return { problem: 'is not declared under secrets' };
  const reading = await readSource(source, context);
  if ('problem' in reading) return reading;
  const origin =
    'env' in source ? `variable ${source.env}` : 'file' in source ? source.file : `output of ${source.command[0]}`;
  if (reading.value === '') return { problem: `is empty: ${origin} (\`raw: true\` takes it as it is)` };
  if (source.raw) return reading;
  if (reading.value.includes('\0'))
    return { problem: `contains a NUL character: ${origin} (\`raw: true\` takes it as it is)` };
  if (Buffer.byteLength(reading.value) > maximumLength) return { problem: `is larger than 500 KiB: ${origin}` };
  return reading;
}

async function readSource(source: SecretSource, { root, env }: SecretContext): Promise<Reading> {
  if ('env' in source) {
    const value = env[source.env];
    if (value === undefined) return { problem: `variable ${source.env} is not set` };
    return (source.raw ? asItIs : decode)(Buffer.from(value), `variable ${source.env}`);
  }
  const read = source.raw ? asItIs : decode;
  return 'file' in source
    ? readSecretFile(source.file, root, read)
    : runSecretCommand(source.command, { root, env }, read);
}

type Decode = (bytes: Buffer, origin: string) => Reading;

async function readSecretFile(file: string, root: string, read: Decode): Promise<Reading> {
  try {
    const full = path.resolve(root, file);
    const found = await stat(full);
    if (found.isDirectory()) return { problem: `${file} is a folder` };
    if (found.size > maximumLength) return { problem: `is larger than 500 KiB: ${file}` };
    return read(await readFile(full), file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return {
      problem:
        code === 'ENOENT' ? `file ${file} does not exist` : `file ${file} cannot be read (${code ?? 'unknown error'})`,
    };
  }
}

/**
 * Runs an operator's own program, as `pass`, `op` or `vault`. It is the only child that gets all of the operator's
 * variables: only the operator knows which ones it needs, and that is why they set them.
 */
async function runSecretCommand(
  command: readonly string[],
  { root, env }: SecretContext,
  read: Decode,
): Promise<Reading> {
  const [program = ''] = command;
  const child = startProcess(command, { cwd: root, env: { ...env }, timeout: commandDeadline });
  // A program that asks for a password would otherwise wait for an answer that never comes.
  child.stdin.on('error', () => undefined).end();
  const tooLong = () => child.kill('SIGKILL');
  // What it started may outlive it, with its output open.
  child.once('exit', () =>
    setTimeout(() => [child.stdout, child.stderr].forEach((stream) => stream.destroy()), 1000).unref(),
  );
  const [stdout, stderr, failure] = await Promise.all([
    collect(child.stdout, tooLong),
    collect(child.stderr, tooLong),
    once(child, 'close').then(
      () => undefined,
      (error: NodeJS.ErrnoException) => startFailure(error),
    ),
  ]);
  if (failure === undefined && child.exitCode === 0) return read(stdout, `output of ${program}`);
  return { problem: `${program} ${failure ?? commandFailure(child, stdout, stderr)}` };
}

/** Reads the output of a program until it ends or is cut off; if it is too long, that is reported, and only its end is kept. */
function collect(stream: Readable, tooLong: () => void): Promise<Buffer> {
  const tail = new Tail(maximumOutput + 1);
  stream.on('data', (data: Buffer) => {
    tail.push(data);
    if (tail.truncated) tooLong();
  });
  return new Promise((resolve) => stream.once('close', () => resolve(tail.bytes())));
}

function startFailure({ code }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT') return 'is not installed';
  return code === 'EACCES' ? 'may not be executed' : `does not start (${code ?? 'unknown error'})`;
}

function commandFailure(
  { killed, exitCode }: { readonly killed: boolean; readonly exitCode: number | null },
  stdout: Buffer,
  stderr: Buffer,
): string {
  if (Math.max(stdout.length, stderr.length) > maximumOutput) return `printed more than ${maximumOutput / 1024} KiB`;
  if (killed) return `gave no answer within ${commandDeadline / 1000} s`;
  // A program may print the value and fail after it, or repeat it in its error.
  const redactor = new Redactor(stdout.toString().split('\n'));
  const lastLine = redactor.redact(stderr.toString().trim().split('\n').at(-1) ?? '').slice(0, 200);
  return `failed with exit code ${exitCode ?? 'unknown'}${lastLine === '' ? '' : `: ${lastLine}`}`;
}

/** Takes all bytes, also those that are no text. */
function asItIs(bytes: Buffer, origin: string): Reading {
  return bytes.length > maximumLength ? { problem: `is larger than 500 KiB: ${origin}` } : { value: valueOf(bytes) };
}

/** Decodes a value: values are text, as they become files, Pulumi secrets and JSON. */
function decode(bytes: Buffer, origin: string): Reading {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return { value: text.replace(/\r?\n$/, '') };
  } catch {
    return { problem: `is not UTF-8 text: ${origin} (\`raw: true\` takes it as it is)` };
  }
}
