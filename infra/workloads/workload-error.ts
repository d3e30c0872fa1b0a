import { WorkloadFailedError } from '../../pipelines/errors.ts';
import type { ContainerInputs } from '../resources/inputs.ts';
import type { Workload } from './workload.ts';

/** Returns the error that says why a workload failed, with its last health answers and log lines. */
export async function workloadError(
  part: Workload,
  { host, spec }: Pick<ContainerInputs, 'host' | 'spec'>,
  why: string,
  answers: readonly string[] = [],
): Promise<WorkloadFailedError> {
  // They explain a failure; their absence must not hide it.
  const trouble = await part.diagnosis().catch(() => '');
  const log = (await part.lastLines(20).catch(() => [])).slice(-20);
  return new WorkloadFailedError(`${host.name}: ${spec.role} ${spec.version} ${why}${trouble}`, {
    details: [
      ...(answers.length > 0 ? ['last health answers:', ...lastDistinct(answers, 3).map((line) => `  ${line}`)] : []),
      `last log lines of ${spec.name}:`,
      ...(log.length > 0 ? log.map((line) => `  ${line}`) : ['  (none)']),
    ],
  });
}

function lastDistinct(answers: readonly string[], count: number): string[] {
  return [...new Set([...answers].reverse())].slice(0, count).reverse();
}
