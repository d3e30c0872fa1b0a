import { setTimeout as sleep } from 'node:timers/promises';
import { WorkloadFailedError } from '../../pipelines/errors.ts';
import { printable } from '../../pipelines/text/printable.ts';
import type { ContainerInputs } from '../resources/inputs.ts';
import { logHint } from './log-hints.ts';
import type { Workload } from './workload.ts';

/** Milliseconds to find out why a workload failed: an explanation must not keep anybody from anything. */
const longest = 5000;

/** Returns the error that says why a workload failed, with its last health answers and log lines, as far as they come. */
export async function workloadError(
  part: Workload,
  { host, spec }: Pick<ContainerInputs, 'host' | 'spec'>,
  why: string,
  answers: readonly string[] = [],
): Promise<WorkloadFailedError> {
  const signal = AbortSignal.timeout(longest);
  const [trouble, log] = await Promise.all([
    inTime(part.diagnosis(signal), ''),
    inTime(part.lastLines(20, signal), []),
  ]);
  const hint = logHint([trouble, ...log, ...answers], spec);
  return new WorkloadFailedError(`${host.name}: ${spec.role} ${spec.version} ${why}${printable(trouble)}`, {
    details: [
      ...(hint === undefined ? [] : [hint]),
      ...(answers.length > 0 ? ['last health answers:', ...lastDistinct(answers, 3).map(indented)] : []),
      `last log lines of ${spec.name}:`,
      ...(log.length > 0 ? log.map(indented) : ['  (none)']),
    ],
  });
}

/** Reads explanations in time: they explain a failure, and their absence must not hide it, nor keep it back. */
async function inTime<T>(asked: Promise<T>, otherwise: T): Promise<T> {
  const over = new AbortController();
  const late = sleep(longest + 200, otherwise, { signal: over.signal });
  try {
    return await Promise.race([asked, late]);
  } catch {
    return otherwise;
  } finally {
    over.abort();
    late.catch(() => undefined);
  }
}

function indented(line: string): string {
  return `  ${printable(line)}`;
}

function lastDistinct(answers: readonly string[], count: number): string[] {
  return [...new Set([...answers].reverse())].slice(0, count).reverse();
}
