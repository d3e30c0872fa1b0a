import type { MachineInputs } from '../resources/inputs.ts';
import type { CachedImage, Recipe } from './image/image.ts';

/** A machine as a kind makes it. */
export interface MachineSpec extends MachineInputs {
  /** a folder of its own, which is there and goes with it */
  readonly home: string;
  readonly image: string;
  /** files that it starts with, besides those of its image */
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
  /** Puts what the machine is made of into its folder. Nothing runs after it. */
  create(machine: MachineSpec, image: CachedImage): Promise<void>;
  /** Starts it; gives what people should know of how it runs. */
  start(machine: MachineSpec, image: CachedImage): Promise<string | undefined>;
  runs(home: string): Promise<boolean>;
  /** Ends its processes and takes its network devices away. One that does not run is fine. */
  stop(home: string): Promise<void>;
  /** Where it writes what happens to it, for people who look for the reason of a failure. */
  log(home: string): string;
}
