import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { AccessoryAdapter } from '../../../infra/adapters/accessories.ts';
import { LineReader } from '../../../infra/docker/api/frames.ts';
import { LockageError } from '../../../pipelines/errors.ts';
import { environmentNamed } from '../../../pipelines/model/pipeline.ts';
import { withEnvironmentLock } from '../../../pipelines/operations/steps/with-lock.ts';
import { bytesText, durationText } from '../../tools/format.ts';
import { ProgramError } from '../exit-codes.ts';
import type { CommandContext } from '../open-context.ts';
import { countOf, type Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';

/** A day: people migrate data with such commands. */
const deadline = 24 * 3600_000;

/** Which accessory of which environment a command is for. */
export interface AccessoryCall {
  readonly environment: string;
  readonly name: string;
  readonly signal: AbortSignal;
}

/** Runs `lockage accessory restart`. */
export async function accessoryRestartCommand(call: AccessoryCall, flags: Flags): Promise<void> {
  await withAccessory(call, flags, async (accessory, context) => {
    const started = context.now();
    await locked(context, call, 'restart', () => accessory.restart());
    const took = context.now() - started;
    const line = `${call.name} of ${call.environment} was restarted and works: ${durationText(took)}`;
    context.terminal.result({ outcome: 'restarted', accessory: call.name, duration: took }, [line]);
  });
}

/** Runs `lockage accessory logs`. */
export async function accessoryLogsCommand(
  call: AccessoryCall,
  flags: Flags & { readonly follow?: boolean; readonly tail: string },
): Promise<void> {
  const tail = flags.tail === '0' ? 0 : countOf(flags.tail, '-n');
  await withAccessory(call, flags, async (accessory, { terminal }) => {
    const { signal } = call;
    for await (const { stream, line } of accessory.logs({ tail, follow: flags.follow ?? false, signal })) {
      terminal.line(flags.json ? JSON.stringify({ accessory: call.name, stream, line }) : line);
    }
  });
}

/** Runs `lockage accessory exec`. */
export async function accessoryExecCommand(
  call: AccessoryCall,
  argv: readonly string[],
  flags: { readonly interactive?: boolean },
): Promise<void> {
  await withAccessory(call, {}, async (accessory, { terminal }) => {
    const readers = { stdout: new LineReader(), stderr: new LineReader() };
    const code = await accessory.exec(argv, {
      deadline,
      signal: call.signal,
      ...(flags.interactive ? { stdin: process.stdin } : {}),
      onOutput: (stream, data) => {
        for (const line of readers[stream].read(data)) terminal.line(line, stream);
      },
      maxOutput: 1024,
    });
    for (const stream of ['stdout', 'stderr'] as const)
      for (const line of readers[stream].end()) terminal.line(line, stream);
    if (code !== 0) throw new ProgramError('the command failed', code, [`${call.name}: exit code ${code}`]);
  });
}

/** Runs `lockage accessory backup`. */
export async function accessoryBackupCommand(
  call: AccessoryCall,
  path: string,
  flags: Flags & { readonly test: boolean },
): Promise<void> {
  await withAccessory(call, flags, async (accessory, { terminal }) => {
    const file = resolve(path);
    const { bytes, took, proven } = await accessory.backup(file, { prove: flags.test, signal: call.signal });
    const proof = proven === undefined ? 'not proven by a restore' : `restored for proof in ${durationText(proven)}`;
    const line = `${call.name} of ${call.environment}: ${bytesText(bytes)} in ${durationText(took)} to ${path}, ${proof}`;
    const result = { outcome: 'backed up', accessory: call.name, file, bytes, duration: Math.round(took) };
    terminal.result({ ...result, ...(proven === undefined ? {} : { proven: Math.round(proven) }) }, [line]);
  });
}

/** Runs `lockage accessory restore`. */
export async function accessoryRestoreCommand(call: AccessoryCall, path: string, flags: Flags): Promise<void> {
  await withAccessory(call, flags, async (accessory, context) => {
    const file = resolve(path);
    const found = await stat(file).catch(() => undefined);
    if (!found?.isFile()) throw new LockageError(`${path} is not a file`, { hint: 'Name a file that a backup wrote.' });
    const size = bytesText(found.size);
    await context.terminal.confirm(`Replace the data of ${call.name} of ${call.environment} by ${path} (${size})?`);
    const started = context.now();
    await locked(context, call, 'restore', () => accessory.restore(file, call.signal));
    const took = context.now() - started;
    const line = `${call.name} of ${call.environment} has the data of ${path}: ${durationText(took)}`;
    context.terminal.result({ outcome: 'restored', accessory: call.name, file, duration: took }, [line]);
  });
}

async function withAccessory(
  { environment, name, signal }: AccessoryCall,
  flags: Flags,
  work: (accessory: AccessoryAdapter, context: CommandContext) => Promise<void>,
): Promise<void> {
  await runCommand(flags, signal, async (context) => {
    const { app } = context.project;
    const place = environmentNamed(context.project, environment);
    await work(await AccessoryAdapter.open(context.connections, app, place, name), context);
  });
}

function locked<T>(
  context: CommandContext,
  { environment, name }: AccessoryCall,
  act: string,
  work: () => Promise<T>,
): Promise<T> {
  const place = environmentNamed(context.project, environment);
  return withEnvironmentLock(context, { environment: place, purpose: `${act} ${name}` }, work);
}
