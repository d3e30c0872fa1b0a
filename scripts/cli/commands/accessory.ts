import { resolve } from 'node:path';
import { LineReader } from '../../../infra/docker/api/frames.ts';
import { accessoryNamed, environmentNamed } from '../../../pipelines/model/pipeline.ts';
import { perform } from '../../../pipelines/operations/perform.ts';
import type { AccessoryPlace } from '../../../pipelines/operations/ports/accessories.ts';
import { bytesText, durationText } from '../../tools/format.ts';
import { ProgramError } from '../exit-codes.ts';
import { maskAccessory } from '../mask-recorded.ts';
import type { CommandContext } from '../open-context.ts';
import { countOf, waitOf, type Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';

/** A day: people migrate data with such commands. */
const deadline = 24 * 3600_000;

/** The accessory that a command is for. */
export interface AccessoryCall {
  readonly environment: string;
  readonly name: string;
  readonly signal: AbortSignal;
}

/** Runs `lockage accessory restart`. */
export async function accessoryRestartCommand(call: AccessoryCall, flags: Flags): Promise<void> {
  const { environment, name: accessory } = call;
  await runCommand({ ...flags, about: call.environment }, call.signal, async (context) => {
    const request = { environment, accessory };
    const { duration } = await perform(context, 'restartAccessory', request, waitOf(flags));
    const line = `${accessory} of ${environment} was restarted and works: ${durationText(duration)}`;
    context.terminal.result({ outcome: 'restarted', accessory, duration }, [line]);
  });
}

/** Runs `lockage accessory logs`. */
export async function accessoryLogsCommand(
  call: AccessoryCall,
  flags: Flags & { readonly follow?: boolean; readonly tail: string },
): Promise<void> {
  const tail = flags.tail === '0' ? 0 : countOf(flags.tail, '-n');
  await runCommand({ ...flags, about: call.environment }, call.signal, async (context) => {
    const { accessories, terminal } = context;
    const place = placeOf(context, call);
    await maskAccessory(context, place);
    const lines = accessories.logs(place, { tail, follow: flags.follow ?? false });
    for await (const { stream, line } of lines) {
      if (flags.json) terminal.entry({ accessory: call.name, stream, line });
      else terminal.line(line);
    }
  });
}

/** Runs `lockage accessory exec`. */
export async function accessoryExecCommand(
  call: AccessoryCall,
  argv: readonly string[],
  flags: { readonly interactive?: boolean },
): Promise<void> {
  await runCommand({ about: call.environment }, call.signal, async (context) => {
    const { accessories, terminal } = context;
    const readers = { stdout: new LineReader(), stderr: new LineReader() };
    const place = placeOf(context, call);
    await maskAccessory(context, place);
    const code = await accessories.exec(place, argv, {
      deadline,
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
  { environment, name: accessory, signal }: AccessoryCall,
  path: string,
  flags: Flags & { readonly test: boolean },
): Promise<void> {
  await runCommand({ ...flags, about: environment }, signal, async (context) => {
    const file = resolve(path);
    const request = { environment, accessory, file, prove: flags.test };
    const { bytes, took, proven } = await perform(context, 'backUpAccessory', request);
    const proof = proven === undefined ? 'not proven by a restore' : `restored for proof in ${durationText(proven)}`;
    const line = `${accessory} of ${environment}: ${bytesText(bytes)} in ${durationText(took)} to ${path}, ${proof}`;
    const result = { outcome: 'backed up', accessory, file, bytes, duration: Math.round(took) };
    context.terminal.result({ ...result, ...(proven === undefined ? {} : { proven: Math.round(proven) }) }, [line]);
  });
}

/** Runs `lockage accessory restore`. */
export async function accessoryRestoreCommand(
  { environment, name: accessory, signal }: AccessoryCall,
  path: string,
  flags: Flags,
): Promise<void> {
  await runCommand({ ...flags, about: environment }, signal, async (context) => {
    const file = resolve(path);
    const request = { environment, accessory, file };
    const { duration } = await perform(context, 'restoreAccessory', request, waitOf(flags));
    const line = `${accessory} of ${environment} has the data of ${path}: ${durationText(duration)}`;
    context.terminal.result({ outcome: 'restored', accessory, file, duration }, [line]);
  });
}

function placeOf({ project }: CommandContext, { environment, name }: AccessoryCall): AccessoryPlace {
  const place = environmentNamed(project, environment);
  return { environment: place, accessory: accessoryNamed(place, name) };
}
