import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerSpec } from '../../pipelines/container.ts';
import type { Host } from '../../pipelines/environment.ts';
import { ExitCode, LockageError } from '../../pipelines/errors.ts';
import { withoutFallback } from '../edge/routes.ts';
import type { Engine } from '../engine/client.ts';
import type { Place, VerificationInputs } from './types.ts';
import { edgeOf, type Workshop } from './workshop.ts';

interface Subject extends Place {
  readonly host: Host;
  readonly spec: ContainerSpec;
}

/**
 * The barrier: every container of the environment proves itself and every host gets its routes, all at the same time.
 * Throws LockageError with the container's last log lines and health answers as soon as one does not.
 */
export async function verifyContainers(workshop: Workshop, inputs: VerificationInputs): Promise<void> {
  await Promise.all(inputs.wake.map(async ({ host, spec }) => (await workshop.engine(host)).startContainer(spec.name)));
  const stop = new AbortController();
  const signal = AbortSignal.any([workshop.signal, stop.signal]);
  const checks = inputs.containers.map(async ({ host, spec }) => {
    const started = Date.now();
    await verify(workshop, { app: inputs.app, environment: inputs.environment, host, spec }, signal);
    workshop.progress({ host: host.name, step: 'healthy', detail: `${spec.name} after ${Date.now() - started} ms` });
  });
  const deliveries = inputs.routes.map(async ({ host, set }) => {
    await (await edgeOf(workshop, inputs, host)).prepare([set, withoutFallback(set)]);
  });
  try {
    await Promise.all([...checks, ...deliveries]);
  } finally {
    stop.abort();
    await Promise.allSettled([...checks, ...deliveries]);
  }
}

async function verify(workshop: Workshop, subject: Subject, signal: AbortSignal): Promise<void> {
  const { host, spec } = subject;
  const engine = await workshop.engine(host);
  const first = await runningState(engine, spec.name);
  const answers: string[] = [];
  if (first === undefined) throw await failure(engine, subject, 'is not running', answers);

  const ended = new AbortController();
  const both = AbortSignal.any([signal, ended.signal]);
  const exit = watchExit(engine, spec.name, first, both);
  const health = healthy(workshop, subject, both, (answer) => answers.push(answer));
  try {
    const verdict = await Promise.race([
      exit,
      health.then((good) => (good ? 'healthy' : `was not healthy within ${spec.health.timeout / 1000} s`)),
    ]);
    signal.throwIfAborted();
    if (verdict !== 'healthy') throw await failure(engine, subject, verdict, answers);
  } finally {
    ended.abort();
    await Promise.allSettled([exit, health]);
  }
  const last = await runningState(engine, spec.name);
  if (last !== first) throw await failure(engine, subject, 'restarted while it was verified', answers);
}

/** When the container started, if it runs and never restarted. */
export async function runningState(engine: Engine, name: string): Promise<string | undefined> {
  const found = await engine.inspectContainer(name);
  if (found === undefined || !found.State.Running || found.State.Paused || found.RestartCount !== 0) return undefined;
  return found.State.StartedAt;
}

async function watchExit(engine: Engine, name: string, first: string, signal: AbortSignal): Promise<string> {
  while (!signal.aborted) {
    await pause(200, signal);
    if (signal.aborted) break;
    const now = await runningState(engine, name);
    if (now !== first) return now === undefined ? 'stopped' : 'restarted';
  }
  return 'stopped being watched';
}

async function healthy(
  workshop: Workshop,
  subject: Subject,
  signal: AbortSignal,
  onAnswer: (answer: string) => void,
): Promise<boolean> {
  const { health, name } = subject.spec;
  const { check } = health;
  if (check.kind === 'running') {
    await pause(check.for, signal);
    return !signal.aborted;
  }
  if (check.kind === 'http') {
    const edge = await edgeOf(workshop, subject, subject.host);
    const at = await healthAddress(await workshop.engine(subject.host), name, check);
    const times = { times: health.healthy, interval: health.interval, seconds: health.timeout / 1000 };
    return quietly(signal, edge.probe(at, times, { signal, onAnswer }));
  }
  return commandSucceeds(await workshop.engine(subject.host), subject.spec, check.command, signal, onAnswer);
}

/** By address: a static busybox in the edge image cannot look names up. */
export async function healthAddress(engine: Engine, name: string, check: { port: number; path: string }) {
  const found = await engine.inspectContainer(name);
  const [network] = Object.values(found?.NetworkSettings.Networks ?? {});
  return { address: network?.IPAddress || name, port: check.port, path: check.path };
}

async function commandSucceeds(
  engine: Engine,
  spec: ContainerSpec,
  command: readonly string[],
  signal: AbortSignal,
  onAnswer: (answer: string) => void,
): Promise<boolean> {
  const end = Date.now() + spec.health.timeout;
  for (let good = 0; good < spec.health.healthy;) {
    const remaining = end - Date.now();
    if (remaining <= 0 || signal.aborted) return false;
    const run = engine.exec(spec.name, [...command], { deadline: Math.max(1000, Math.min(remaining, 30_000)), signal });
    const result = await run.catch((error: unknown) => ({ code: -1, stdout: '', stderr: String(error) }));
    good = result.code === 0 ? good + 1 : 0;
    onAnswer(result.code === 0 ? `ok ${good}` : `exit code ${result.code} ${(result.stderr || result.stdout).trim()}`);
    if (good < spec.health.healthy) await pause(spec.health.interval, signal);
  }
  return true;
}

/** A probe that ends because it is not needed any more is no error. */
async function quietly(signal: AbortSignal, probe: Promise<boolean>): Promise<boolean> {
  try {
    return await probe;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal }).catch(() => undefined);
}

/** Says why, with the last health answers and log lines of the container. */
export async function failure(
  engine: Engine,
  subject: Subject,
  why: string,
  answers: readonly string[],
): Promise<LockageError> {
  const { host, spec } = subject;
  const found = await engine.inspectContainer(spec.name).catch(() => undefined);
  const exited =
    found && !found.State.Running
      ? ` (exit code ${found.State.ExitCode}${found.State.OOMKilled ? ', out of memory' : ''})`
      : '';
  const log = await lastLines(engine, spec.name, 20);
  return new LockageError(`${host.name}: ${spec.role} ${spec.version} ${why}${exited}`, {
    code: ExitCode.rolledBack,
    details: [
      ...(answers.length > 0 ? ['last health answers:', ...lastDistinct(answers, 3).map((line) => `  ${line}`)] : []),
      `last log lines of ${spec.name}:`,
      ...(log.length > 0 ? log.map((line) => `  ${line}`) : ['  (none)']),
    ],
  });
}

async function lastLines(engine: Engine, name: string, count: number): Promise<string[]> {
  const lines: string[] = [];
  try {
    for await (const { line } of engine.logs(name, { tail: count })) lines.push(line);
  } catch {
    // The logs explain a failure; not having them must not hide it.
  }
  return lines.slice(-count);
}

function lastDistinct(answers: readonly string[], count: number): string[] {
  return [...new Set([...answers].reverse())].slice(0, count).reverse();
}
