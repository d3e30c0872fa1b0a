import type { AuditHead } from '../../pipelines/model/audit-entry.ts';
import type { ContainerSpec } from '../../pipelines/model/container-spec.ts';
import type { EdgeLimits, Log, Migration, Surroundings, Ulimits } from '../../pipelines/model/environment.ts';
import type { Turn } from '../../pipelines/model/fence.ts';
import type { Attempt, Cordon, DataDump, DataSchema, Drill, Hold } from '../../pipelines/model/revision.ts';
import type { EnvironmentHost, MachineSet, Orchestrator, Target } from '../../pipelines/model/target.ts';
import type { HostRoutes } from '../edge/host-routes.ts';

/** The place of every resource: its application and environment. */
export interface Place {
  readonly app: string;
  readonly environment: string;
}

/** A release container on one host, or a service on a swarm. */
export interface ContainerInputs extends Place {
  readonly host: Target;
  readonly spec: ContainerSpec;
  /** it is made to rest until somebody goes back to it */
  readonly rests?: boolean;
  /** the operation that makes it again where its host has lost it, or what it has does not run */
  readonly again?: string;
}

/** A container that stays on a host while releases come and go. */
interface StandingInputs extends Place {
  readonly host: EnvironmentHost;
  /** the name by which the host has its image */
  readonly image: string;
  /** the image by digest, or by its tag where no registry knows it */
  readonly pinned: string;
  /** the image as it is configured */
  readonly configured: string;
  /** hash of all that it is made of */
  readonly spec: string;
  /** it is looked at again when this is another one */
  readonly again?: string;
  /** its host is no longer configured and still serves: it stays as it is */
  readonly leaves?: true;
}

/** The edge proxy of an environment on one host. */
export interface EdgeInputs extends StandingInputs {
  readonly ports: readonly number[];
  /** whose word counts for where a request came from */
  readonly trusted?: string;
  /** the same, of what users put before it */
  readonly proxies?: readonly string[];
  readonly limits?: EdgeLimits;
}

/** An accessory: other people's image, with data that stays. */
export interface AccessoryInputs extends StandingInputs, Surroundings {
  readonly name: string;
  readonly command?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** the volume with its secrets, and their names */
  readonly secrets?: { readonly volume: string; readonly names: readonly string[] };
  /** volume → path in the container */
  readonly volumes: Readonly<Record<string, string>>;
  /** accessory on another host → its address */
  readonly neighbours?: Readonly<Record<string, string>>;
  /** where other hosts find it */
  readonly publish?: { readonly address: string; readonly port: number };
  /** bytes */
  readonly memory: number;
  readonly cpus?: number;
  /** bytes */
  readonly shmSize?: number;
  readonly ulimits?: Ulimits;
  readonly init?: boolean;
  readonly log?: Log;
  readonly health?: { readonly command: readonly string[]; readonly timeout: number };
}

/** The network of an environment on a swarm. */
export interface OverlayInputs extends Place {
  readonly host: Orchestrator;
  /** of its driver; absent: none */
  readonly options?: Readonly<Record<string, string>>;
}

/** The migration of a release, run once in an environment, in a container like the release's own. */
export interface MigrationInputs extends Place {
  readonly host: Target;
  readonly spec: ContainerSpec;
  readonly timeout: Migration['timeout'];
}

/** The barrier: all containers of the environment are healthy, or the operation ends here. */
export interface VerificationInputs extends Place {
  /** differs for every operation, so that it is carried out again */
  readonly operation: string;
  /** containers that rested and are started first */
  readonly wake: readonly { readonly host: Target; readonly spec: ContainerSpec }[];
  readonly containers: readonly { readonly host: Target; readonly spec: ContainerSpec }[];
  /** routes that each host must have before any of them switches */
  readonly routes: readonly HostRoutes[];
  /** those that end before others start: what starts proves itself after all others */
  readonly stopFirst?: StopFirstInputs;
  /** the migration that is recorded by now: its container goes */
  readonly migrated?: { readonly host: Target; readonly spec: ContainerSpec };
}

/** The containers of roles of which two at once are wrong: see `StopFirst`. */
export interface StopFirstInputs {
  readonly roles: readonly string[];
  readonly start: readonly { readonly host: Target; readonly spec: ContainerSpec }[];
  readonly before: readonly { readonly host: Target; readonly spec: ContainerSpec }[];
  /** of these roles, what stays and runs already */
  readonly serving: readonly { readonly host: Target; readonly spec: ContainerSpec }[];
}

/** The claim of all hosts, and the record of what is tried, before anything changes. */
export interface TurnInputs extends Place {
  readonly operation: string;
  readonly attempts?: readonly Attempt[];
  /** the end of the audit log when this was recorded */
  readonly audit?: AuditHead;
  readonly turn: Turn;
  readonly hosts: readonly EnvironmentHost[];
}

/** The switch of all hosts at once. */
export interface RoutesInputs extends Place {
  readonly operation: string;
  readonly turn: Turn;
  readonly hosts: readonly HostRoutes[];
  /** seconds until a host goes back by itself when nobody confirms; 0: final at once */
  readonly guard: number;
}

/** All traffic of an environment moves from its machines to others, through the load balancer they share. */
export interface HandoverInputs extends Place {
  readonly operation: string;
  readonly from: readonly Backend[];
  readonly to: readonly Backend[];
}

/** A job of a verification, in a container like the release's own. */
export interface JobInputs {
  readonly host: Target;
  readonly spec: ContainerSpec;
  readonly job: string;
  /** see `definitionOf` */
  readonly definition: string;
  /** milliseconds of one try */
  readonly timeout: number;
  /** tries after the first */
  readonly retries: number;
}

/** The time after the switch in which a failure takes all hosts back. */
export interface WatchInputs extends Place {
  readonly operation: string;
  readonly turn: Turn;
  /** milliseconds */
  readonly duration: number;
  /** the switch awaits confirmation */
  readonly guarded: boolean;
  readonly hosts: readonly HostRoutes[];
  /** the containers that serve now */
  readonly containers: readonly { readonly host: Target; readonly spec: ContainerSpec }[];
  /** where the traffic came from, and goes back to */
  readonly handover?: HandoverInputs;
  /** run one after the other meanwhile: one that fails takes all hosts back */
  readonly jobs?: readonly JobInputs[];
  /** hosts whose accessories are watched as well */
  readonly accessories?: readonly EnvironmentHost[];
  /** containers of earlier releases without traffic: stopped once the new release stands */
  readonly stop: readonly { readonly host: Target; readonly spec: ContainerSpec }[];
  /** brought back when the watch ends badly */
  readonly stopFirst?: StopFirstInputs;
  /** containers of earlier releases that were made again: they are brought back after a restart, too */
  readonly kept?: readonly { readonly host: Target; readonly spec: ContainerSpec }[];
}

/** A secret's value, kept for as long as a revision needs it. */
export interface SecretInputs extends Place {
  readonly secret: string;
  readonly version: string;
  /** the value, encrypted with a key of ours: no message that carries it says what it is */
  readonly sealed: string;
}

/** The record: revisions and the hold. */
export interface LedgerInputs extends Place {
  /** a list of Revision as JSON: Pulumi passes text on as it is, and takes a second to pass on as many small values */
  readonly revisions: string;
  readonly hold?: Hold;
  readonly resumed?: string;
  readonly cordons?: readonly Cordon[];
  readonly drill?: Drill;
  readonly schema?: DataSchema;
  readonly dumps?: readonly DataDump[];
  readonly changed?: number;
}

/** The volume with the secrets of a container that is not a release's. An earlier record has no volume. */
export interface SecretFilesInputs extends Place {
  readonly host: Target;
  readonly volume?: string;
  readonly image: string;
  readonly user?: string;
  readonly at?: 'memory';
  readonly delivery: string;
  /** secret name → short hash of its value */
  readonly secrets: Readonly<Record<string, string>>;
}

/** The bridge of an environment's machines, on the computer that runs them. */
export interface MachineNetworkInputs extends Place {
  readonly bridge: string;
  /** `10.71.3`: the first three numbers of its addresses */
  readonly subnet: string;
  /** name of that computer */
  readonly computer: string;
}

/** A machine that an environment owns. */
export interface MachineInputs extends MachineNetworkInputs {
  readonly name: string;
  /** its name as a host of the environment */
  readonly host: string;
  readonly kind: MachineSet['kind'];
  /** bytes */
  readonly memory: number;
  readonly cpus: number;
  /** bytes; absent: no limit of its own */
  readonly disk?: number;
  /** `sha256:…` of the image it was made from */
  readonly image: string;
  readonly address: string;
  /** `SHA256:…` of its ssh host key */
  readonly hostKey: string;
  readonly insecureRegistries: readonly string[];
}

/** The one address of an environment's machines. Which of them it leads to is not recorded: it follows what serves. */
export interface LoadBalancerInputs extends Place {
  readonly address: string;
  readonly ports: readonly number[];
  /** addresses and networks whose word counts for where a request came from */
  readonly trusted?: readonly string[];
}

/** The settings that a foundation was made from. */
export interface FoundationInputs extends Place {
  readonly fingerprint: string;
  /** host name → hash of what its edge proxy was made from: another one means that it is replaced */
  readonly edges: Readonly<Record<string, string>>;
  /** host name → its public ports; absent: those of its roles of then */
  readonly ports?: Readonly<Record<string, readonly number[]>>;
  readonly delivery: string;
  readonly hosts: readonly EnvironmentHost[];
  readonly images: Readonly<Record<string, string>>;
}

/** A machine that a load balancer sends to, under the name of its host. */
export interface Backend {
  readonly name: string;
  readonly address: string;
  /** those of the load balancer's that it serves; absent: all */
  readonly ports?: readonly number[];
}
