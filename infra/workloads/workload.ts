/** The timing of a health check: how often it must succeed in a row, and until when. */
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

/** A workload of a release: a container on a host, or a service on a swarm. Operations can be repeated. */
export interface Workload {
  /** Creates and starts it; keeps what an interrupted run left if that is what is wanted. Leaves nothing on failure. */
  create(): Promise<void>;
  /** Stops it gracefully and removes it with its secrets. Ignores what is already gone. */
  remove(): Promise<void>;
  /** Starts it again after `stop`, and makes it restart by itself, unless it is on trial. */
  start(options?: { readonly onTrial?: true }): Promise<void>;
  /** Stops it without removing it; nothing but `start` wakes it. */
  stop(): Promise<void>;
  /** Makes it restart by itself from now on when it ends. */
  enableRestart(): Promise<void>;
  /**
   * Returns an identity of what runs, which changes when any of it is restarted; undefined when it is not as it should
   * be.
   */
  instanceId(signal?: AbortSignal): Promise<string | undefined>;
  /** Checks its health until the check succeeded often enough; returns false when the time is over. */
  healthy(rounds: Probe, asking: ProbeOptions): Promise<boolean>;
  /**
   * Returns what is wrong with it, for the end of a message: ` (exit code 1)`; empty when there is nothing to report.
   */
  diagnosis(signal: AbortSignal): Promise<string>;
  /** Returns the last lines of its output, or those that came until the signal. */
  lastLines(count: number, signal: AbortSignal): Promise<string[]>;
}
