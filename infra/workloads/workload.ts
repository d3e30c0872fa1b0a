/** How often a health check has to succeed in a row, and until when. */
export interface Probe {
  readonly times: number;
  /** milliseconds between two checks */
  readonly interval: number;
  readonly seconds: number;
}

export interface ProbeOptions {
  readonly signal?: AbortSignal;
  readonly onAnswer?: (answer: string) => void;
}

/** A part of a release that runs: a container on a host, or a service on a swarm. Operations can be repeated. */
export interface Workload {
  /** Makes and starts it; what an interrupted run left behind is kept if it is what is wanted. Leaves nothing on failure. */
  create(): Promise<void>;
  /** Stops it gracefully and removes it with its secrets. What is gone already is fine. */
  remove(): Promise<void>;
  /** Starts it again after it rested. */
  start(): Promise<void>;
  /** Lets it rest: nothing of it runs, and it stays. */
  stop(): Promise<void>;
  /** From now on it comes back by itself after it ended. */
  enableRestart(): Promise<void>;
  /** What runs, in a word that is another one after any of it was started again; undefined when it is not as it should be. */
  instanceId(): Promise<string | undefined>;
  /** Asks the health check of all of it until it succeeded often enough; false when time is over. */
  healthy(rounds: Probe, asking: ProbeOptions): Promise<boolean>;
  /** What is the matter with it, for the end of a message: ` (exit code 1)`; empty when there is nothing to say. */
  diagnosis(): Promise<string>;
  /** The last lines of its output. */
  lastLines(count: number): Promise<string[]>;
}
