import type { Fence } from '../model/fence.ts';
import type { Cordon } from '../model/revision.ts';
import type { Target } from '../model/target.ts';

/** A container as its host reports it. */
export interface SeenContainer {
  readonly name: string;
  /** `release`, `edge`, `accessory` */
  readonly part: string;
  readonly role: string;
  readonly version: string;
  /** the engine's word: `running`, `exited`, `restarting` … */
  readonly state: string;
  /** ISO 8601: the time since which it has run, or when it ended */
  readonly since?: string;
  readonly restarts?: number;
  /** of a service: containers that run */
  readonly replicas?: number;
}

/** The answer of a host, or the reason why there is none. */
export interface HostView {
  readonly host: Target;
  readonly error?: string;
  /** it was not asked, as it is cordoned */
  readonly cordon?: Cordon;
  /** version of its Docker Engine */
  readonly engine?: string;
  readonly containers: readonly SeenContainer[];
  /** where the traffic goes, compared with the record; absent if it was not asked */
  readonly routes?: 'as recorded' | 'no answer' | 'differ' | 'unconfirmed' | 'unknown';
  /** what its edge says; absent where none runs, or none was asked */
  readonly edge?: EdgeView;
  /** what its edge knows of revisions; absent if it was not asked, or knows none */
  readonly fence?: Fence;
  /** what a person should know, though nothing is wrong yet */
  readonly warnings?: readonly string[];
  /** other faults there, such as nodes of a swarm that are down */
  readonly faults?: readonly string[];
}

/** The answer of a host's edge about itself, or why there is none. */
export interface EdgeView {
  readonly problem?: string;
  /** it would take an unconfirmed switch back */
  readonly guarded?: boolean;
  /** what is wrong with public ports that do not answer */
  readonly silent?: readonly string[];
}

/** The load balancer of an environment's own machines. */
export interface LoadBalancerView {
  readonly address: string;
  readonly urls: readonly string[];
  readonly state: 'running' | 'stopped' | 'absent';
  /** what is wrong with ports that serve no visitor */
  readonly silent?: readonly string[];
  /** the machines that it sends traffic to */
  readonly servers: readonly { readonly name: string; readonly healthy: boolean }[];
}

/** An environment's lock, as `status` shows it. */
export interface LockView {
  readonly actor: string;
  readonly since: string;
  readonly purpose: string;
  /** milliseconds until its lease is over; negative once it is; absent: it has none */
  readonly leaseLeft?: number;
}
