import type { Fence } from './fence.ts';
import type { Traits } from './host-traits.ts';
import type { Target } from './target.ts';

/** The answer of a host that was asked before a change. */
export interface HostReport {
  readonly host: Target;
  /** names of the environment's own containers that run, and have their secrets */
  readonly running: ReadonlySet<string>;
  /** names of all its containers of this environment that still have their secrets */
  readonly present: ReadonlySet<string>;
  /** names of everybody else's containers */
  readonly foreign: ReadonlySet<string>;
  readonly edge: boolean;
  /** migrations of its releases that are at work, whoever began them; absent: there is none */
  readonly migrations?: readonly RunningMigration[];
  /** absent: no edge runs that keeps one */
  readonly fence?: Fence;
  /** what a person should know of it, such as a certificate that ends soon */
  readonly warnings: readonly string[];
}

/** A migration that is at work on a host. */
export interface RunningMigration {
  /** name of the host */
  readonly host: string;
  /** name of its container */
  readonly name: string;
  readonly version: string;
  /** when it was made, ISO 8601 */
  readonly since: string;
}

/** The answer of a host before a change, with its traits. */
export interface PreflightReport extends HostReport {
  readonly platform: string;
  /** those that were wanted, and those that cost no question */
  readonly traits: Traits;
}

/** The offset of a host's clock from the operator's (behind: below 0), and how far off that may be, in milliseconds. */
export interface HostClock {
  readonly host: string;
  readonly ahead: number;
  readonly precision: number;
}

/** The answer of a host that was asked what time it is. */
export type ClockAnswer = HostClock | { readonly host: string; readonly error: string };
