import type { LabEnvironment } from '../../scripts/lab/lab.ts';
import type { Row } from './measure.ts';
import type { Stage } from './stage.ts';

export interface PartOptions {
  readonly rounds: number;
  readonly signal: AbortSignal;
  readonly log: (line: string) => void;
}

/** A part of the benchmark, on hosts of its own. */
export interface Part {
  readonly name: string;
  readonly environments: Readonly<Record<string, LabEnvironment>>;
  /** its rows have no verdict already where the machine was too busy for one */
  readonly judgesItself?: boolean;
  /** Returns rows that need no hosts; when there are some, nothing is measured. */
  withoutHosts?(options: PartOptions): Promise<readonly Row[]>;
  measure(stage: Stage, options: PartOptions): Promise<readonly Row[]>;
}
