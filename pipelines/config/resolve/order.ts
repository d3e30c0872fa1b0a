import { didYouMean } from '../../text/suggest.ts';
import type { ProjectFile } from '../schema/files.ts';

/** An environment's place in the pipeline. */
export interface Stage {
  readonly name: string;
  readonly after: readonly string[];
}

/** A problem in the pipeline, at one of its entries. */
export interface StageProblem {
  readonly index: number;
  readonly message: string;
}

/** Returns the stages as written: a plain name comes after the entry before it. */
export function stagesOf(pipeline: NonNullable<ProjectFile['pipeline']>): Stage[] {
  return pipeline.map((entry, index) => {
    const name = nameOf(entry);
    const before = pipeline[index - 1];
    const implied = before === undefined ? [] : [nameOf(before)];
    return { name, after: typeof entry === 'string' ? implied : (entry.after ?? implied) };
  });
}

function nameOf(entry: NonNullable<ProjectFile['pipeline']>[number]): string {
  return typeof entry === 'string' ? entry : entry.name;
}

/**
 * Orders stages so that each comes after those it names, keeping the written order where possible, or returns why that
 * cannot be done.
 */
export function orderStages(stages: readonly Stage[]): { ordered: Stage[]; problems: StageProblem[] } {
  const problems = [...duplicates(stages), ...unknownNames(stages)];
  if (problems.length > 0) return { ordered: [...stages], problems };
  const ordered: Stage[] = [];
  const waiting = [...stages];
  for (;;) {
    const ready = waiting.findIndex((stage) => stage.after.every((name) => ordered.some((done) => done.name === name)));
    if (ready < 0) break;
    ordered.push(...waiting.splice(ready, 1));
  }
  return waiting.length === 0 ? { ordered, problems } : { ordered: [...stages], problems: [cycle(stages, waiting)] };
}

function duplicates(stages: readonly Stage[]): StageProblem[] {
  return stages.flatMap(({ name }, index) =>
    stages.findIndex((other) => other.name === name) < index
      ? [{ index, message: `${name} is in the pipeline twice` }]
      : [],
  );
}

function unknownNames(stages: readonly Stage[]): StageProblem[] {
  const names = stages.map((stage) => stage.name);
  return stages.flatMap(({ after }, index) =>
    after
      .filter((name) => !names.includes(name))
      .map((name) => ({ index, message: `${name} is not in the pipeline${didYouMean(name, names)}` })),
  );
}

/** Finds a cycle: every waiting stage waits for another one, so following them must lead back to one seen before. */
function cycle(stages: readonly Stage[], waiting: readonly Stage[]): StageProblem {
  const walked: Stage[] = [];
  let stage = waiting[0];
  while (stage !== undefined && !walked.includes(stage)) {
    walked.push(stage);
    stage = waiting.find((other) => walked.at(-1)?.after.includes(other.name));
  }
  const round = stage === undefined ? walked : [...walked.slice(walked.indexOf(stage)), stage];
  const message = `goes round in a circle: ${round.map(({ name }) => name).join(' after ')}`;
  return { index: stages.findIndex(({ name }) => name === round[0]?.name), message };
}
