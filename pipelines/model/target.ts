import type { Endpoint, SshEndpoint } from './endpoint.ts';

/** The machines of an environment's own, all alike. */
export interface MachineSet {
  /** `lxc`: system containers on this computer; `vm`: virtual machines on it */
  readonly kind: 'lxc' | 'vm';
  readonly count: number;
  /** `sha256:…` of what they are made from; absent until they are made */
  readonly image?: string;
  /** bytes of each */
  readonly memory: number;
  readonly cpus: number;
  /** an address of this computer through which all of them are reached; absent: that of their network */
  readonly address?: string;
  /** bytes of each; system containers share this computer's */
  readonly disk?: number;
}

/** A place where releases run, or a machine that does not exist yet. Another kind of place is one more member. */
export type Target = Host | Swarm | PendingMachine;

/** A machine with a Docker Engine. */
export interface Host<Reached extends Endpoint = Endpoint> {
  readonly kind: 'host';
  readonly name: string;
  /** where the host's published ports are reached and accessories are found by other hosts */
  readonly address: string;
  readonly endpoint: Reached;
}

/** A host that is reached by ssh. */
export type SshHost = Host<SshEndpoint>;

/** A Docker Swarm: whichever of its managers answers speaks for it. */
export interface Swarm {
  readonly kind: 'swarm';
  readonly name: string;
  readonly managers: readonly Host[];
}

/** A machine of an environment's own that is not made yet. */
export interface PendingMachine {
  readonly kind: 'pending';
  readonly name: string;
  /** its name, until it has an address */
  readonly address: string;
}

/** A host of an environment, made or not. */
export type EnvironmentHost = Host | PendingMachine;

/** A target that places the replicas of a role itself, on nodes that it knows. */
export type Orchestrator = Swarm;

const schedules: Readonly<Record<Target['kind'], boolean>> = { host: false, pending: false, swarm: true };

/**
 * Returns whether a target schedules a role's replicas itself: it gets one service for each role, and its hosts get
 * none.
 */
export function schedulesReplicas(target: Target): target is Orchestrator {
  return schedules[target.kind];
}

/** Returns the hosts whose edges send traffic to what runs on a target. */
export function edgeHosts(target: Target): readonly EnvironmentHost[] {
  switch (target.kind) {
    case 'host':
    case 'pending':
      return [target];
    case 'swarm':
      return target.managers;
  }
}

/** Returns whether a target is a host that is reached by ssh. */
export function isSshHost(target: Target): target is SshHost {
  return target.kind === 'host' && target.endpoint.kind === 'ssh';
}

/** Returns a machine that is not made yet, and has no address. */
export function pending(name: string): PendingMachine {
  return { kind: 'pending', name, address: name };
}
