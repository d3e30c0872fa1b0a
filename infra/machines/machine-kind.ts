import type { MachineInputs } from '../resources/inputs.ts';
import type { CachedImage, Recipe } from './image/image.ts';

/** The specification of a machine, for its kind. */
export interface MachineSpec extends MachineInputs {
  /** a folder of its own, which exists and is removed with it */
  readonly home: string;
  readonly image: string;
  /** files that it starts with, in addition to those of its image */
  readonly files: readonly MachineFile[];
}

export interface MachineFile {
  /** absolute, inside the machine */
  readonly path: string;
  readonly text: string;
  readonly mode: number;
}

/** A way to make machines. Its address and its keys are decided before; each step may be repeated. */
export interface MachineKind {
  readonly recipe: Recipe;
  /** milliseconds after its start until its engine has to answer */
  readonly bootTimeout: number;
  /** Puts the files of the machine into its folder. Nothing runs after it. */
  create(machine: MachineSpec, image: CachedImage): Promise<void>;
  /** Starts the machine; returns what people should know about how it runs. */
  start(machine: MachineSpec, image: CachedImage): Promise<string | undefined>;
  runs(home: string): Promise<boolean>;
  /** Ends its processes and removes its network devices. Does nothing when it does not run. */
  stop(home: string): Promise<void>;
  /** Returns the path of its log, for people who look for the reason of a failure. */
  log(home: string): string;
}
