import type { OutputStream } from '../../../infra/docker/api/client.ts';
import { LineReader } from '../../../infra/docker/api/frames.ts';
import { runtimeOf } from '../../../infra/workloads/runtimes.ts';
import { InterruptedError, LockageError, messageOf, PartialError } from '../../../pipelines/errors.ts';
import { selectServing } from '../../../pipelines/inspection/select-serving.ts';
import type { PlacedContainer } from '../../../pipelines/model/desired-state.ts';
import { environmentNamed } from '../../../pipelines/model/pipeline.ts';
import { ProgramError } from '../exit-codes.ts';
import { maskRecorded } from '../mask-recorded.ts';
import type { CommandContext } from '../open-context.ts';
import { runCommand } from '../run-command.ts';
import { linePrefixes } from '../views/log-prefix.ts';

/** A day: people migrate data with such commands. */
const deadline = 24 * 3600_000;

interface ExecFlags {
  readonly env: string;
  readonly role?: string;
  readonly host?: string;
}

/** Runs `lockage exec`. */
export async function execCommand(argv: readonly string[], flags: ExecFlags, signal: AbortSignal): Promise<void> {
  await runCommand({ about: flags.env }, signal, async (context) => {
    const environment = environmentNamed(context.project, flags.env);
    const record = await context.records.environment(environment.name);
    const role = flags.role ?? environment.roles[0]?.name;
    const serving = selectServing(environment, record, { ...flags, ...(role ? { role } : {}) });
    const targets = serving.filter(
      ({ host }, index) => serving.findIndex((other) => other.host.name === host.name) === index,
    );
    await maskRecorded(context, environment.name, record);
    const prefixes = linePrefixes(targets.map(({ host }) => [host.name]));
    const results = await Promise.allSettled(
      targets.map((target, index) => runIn(context, target, argv, prefixes[index] ?? '')),
    );
    if (signal.aborted) {
      throw new InterruptedError('interrupted: the command goes on in its containers');
    }
    report(targets, results);
  });
}

async function runIn(
  context: CommandContext,
  { host, spec }: PlacedContainer,
  argv: readonly string[],
  prefix: string,
): Promise<number> {
  const { engine, container } = await runtimeOf(host).execTarget(context.connections, spec.name);
  const readers = { stdout: new LineReader(), stderr: new LineReader() };
  const print = (stream: OutputStream, lines: Iterable<string>) => {
    for (const line of lines) context.terminal.line(`${prefix}${line}`, stream);
  };
  const { code } = await engine.exec(container, argv, {
    deadline,
    signal: context.signal,
    onOutput: (stream, data) => print(stream, readers[stream].read(data)),
    // Output is printed as it comes; nothing reads what is kept.
    maxOutput: 1024,
  });
  for (const stream of ['stdout', 'stderr'] as const) print(stream, readers[stream].end());
  return code;
}

interface Failure {
  readonly text: string;
  /** absent when the command did not run to its end */
  readonly code?: number;
}

/**
 * Throws an error that names the hosts on which it failed; the first exit code that is not 0 becomes this process's.
 */
function report(targets: readonly PlacedContainer[], results: readonly PromiseSettledResult<number>[]): void {
  const failed = results.flatMap((result, index): Failure[] => failureOf(targets[index]?.host.name ?? '', result));
  if (failed.length === 0) return;
  const code = failed.find((failure) => failure.code !== undefined)?.code;
  const what = `the command failed on ${failed.length} of ${targets.length} hosts`;
  const details = failed.map(({ text }) => text);
  if (code !== undefined) throw new ProgramError(what, code, details);
  throw new (failed.length < targets.length ? PartialError : LockageError)(what, { details });
}

function failureOf(host: string, result: PromiseSettledResult<number>): Failure[] {
  if (result.status === 'fulfilled') {
    return result.value === 0 ? [] : [{ code: result.value, text: `${host}: exit code ${result.value}` }];
  }
  const message = messageOf(result.reason);
  return [{ text: message.startsWith(`${host}:`) ? message : `${host}: ${message}` }];
}
