import type { ApprovalRule, Wanted } from './evidence/signature-policy.ts';
import type { FreezeWindow } from './freeze.ts';
import type { SshConfig } from './endpoint.ts';
import type { BreakableGate } from './gate.ts';
import type { Trait } from './host-traits.ts';
import type { VerificationJob } from './verification.ts';
import type { Integrations } from './integrations.ts';
import type { SecretSource } from './secret-source.ts';
import type { EnvironmentHost, MachineSet, Orchestrator, Target } from './target.ts';
import type { TrustedKey } from './trusted-key.ts';

/**
 * An environment, after its configuration was read, checked and merged with what all environments share. Durations are
 * milliseconds, sizes bytes, unless a name says otherwise.
 */
export interface Environment {
  readonly name: string;
  /** the environments a release must have passed before it may enter this one */
  readonly after: readonly string[];
  /** where its edges and accessories run; on a swarm, the managers */
  readonly hosts: readonly EnvironmentHost[];
  /** what runs its releases as services; absent: its hosts run them as containers */
  readonly orchestrator?: Orchestrator;
  /** the hosts are machines that the environment makes for itself, and removes with itself */
  readonly machines?: MachineSet;
  readonly roles: readonly Role[];
  readonly accessories: readonly Accessory[];
  readonly migration?: Migration;
  /** where each secret's value comes from, by name */
  readonly secrets: Readonly<Record<string, SecretSource>>;
  /** where hosts keep its secrets; absent: on their disks, so that containers have them after a restart */
  readonly secretsAt?: 'memory';
  /** how long a release is watched after the routes switched, before it is recorded */
  readonly watch: number;
  /** how long a release has to have run well in each environment before this one; absent: no time */
  readonly soak?: number;
  /** when no release may enter; absent: never */
  readonly freeze?: readonly FreezeWindow[];
  /** `lockage pipeline run` promotes here what passes the gates; absent: a person does */
  readonly promote?: 'auto';
  /** what a release has to pass here before it may go on; absent: nothing */
  readonly verification?: readonly VerificationJob[];
  /** evidence that a release has to have, signed by keys that count here; absent: none */
  readonly evidence?: readonly Wanted[];
  /** absent: nobody has to approve */
  readonly approvals?: ApprovalRule;
  /** the gates that a person may pass who gives a reason; absent: none */
  readonly breakGlass?: readonly BreakableGate[];
  /** how many earlier good revisions are kept as standby: their containers stay on the hosts */
  readonly standby: number;
  /** traits in which its hosts have to be like each other, and like those of the environments before it */
  readonly same: readonly Trait[];
  readonly registry: Pulling;
  /** the ssh_config that its hosts are reached with; absent: none */
  readonly sshConfig?: SshConfig;
  /** how its networks are made; absent: as each engine does it */
  readonly network?: { readonly mtu: number };
  /** what is set for its edge proxies; absent: nothing */
  readonly edge?: EdgeSettings;
  /** it is a revision of another environment that runs once more: its engine is not its own */
  readonly reproduces?: {
    readonly environment: string;
    readonly revision: number;
    /** ISO 8601: when its host removes it; absent: never */
    readonly until?: string;
  };
  /** a platform that its hosts run besides their own, by emulation */
  readonly emulates?: string;
}

/** The settings of an environment's edge proxies. */
export interface EdgeSettings {
  readonly limits?: EdgeLimits;
  /** addresses and networks of what stands before the edges and is believed who asked */
  readonly trustedProxies?: readonly string[];
}

/** The limits of each edge proxy. What is absent has its default, and processors no limit. */
export interface EdgeLimits {
  /** bytes */
  readonly memory?: number;
  readonly cpus?: number;
  /** requests under way, over all public ports */
  readonly connections?: number;
}

/**
 * The way hosts get their images: from the registries themselves, or from this computer over its ssh connections to
 * them.
 */
export interface Pulling {
  readonly through: 'network' | 'ssh';
}

/** A process kind of the release: web, worker. */
export interface Role extends Surroundings {
  readonly name: string;
  /** replaces the image's command */
  readonly command?: readonly string[];
  /** containers per host; on a swarm, replicas over all its nodes */
  readonly count: number;
  /** names of the hosts it runs on; on a swarm, the swarm's */
  readonly hosts: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** names of the secrets it gets as files in /run/secrets */
  readonly secrets: readonly string[];
  /** what the edge proxy sends to it; absent for a role without traffic */
  readonly route?: Route;
  readonly health: Health;
  readonly limits: Limits;
  readonly hardening: Hardening;
  /** absent: Docker's init is its process 1, which passes signals on and takes care of orphans */
  readonly init?: false;
  /** absent: Docker's own rotating files, of `limits.log` bytes */
  readonly log?: Log;
  /** how long a stop waits between the stop signal and KILL */
  readonly stopGrace: number;
  /** two at once are wrong: the one before stops before the next one starts; absent: they run side by side for a while */
  readonly replace?: 'stop-first';
}

/** The traffic of a role: the port on the host's edge proxy, and the port its containers listen on. */
export interface Route {
  readonly publish: number;
  readonly port: number;
}

/** The health check of a new container. It must succeed `healthy` times in a row before `timeout`. */
export interface Health {
  readonly check:
    | {
        readonly kind: 'http';
        readonly path: string;
        readonly port: number;
        /** the `Host` that is asked for; absent: the container's address */
        readonly host?: string;
      }
    | { readonly kind: 'command'; readonly command: readonly string[] }
    /** no check of its own: it has to stay up that long */
    | { readonly kind: 'running'; readonly for: number };
  readonly interval: number;
  readonly healthy: number;
  readonly timeout: number;
}

/** The limits of one container. */
export interface Limits {
  /** bytes */
  readonly memory: number;
  /** absent: as many as there are */
  readonly cpus?: number;
  /** bytes of /dev/shm; absent: Docker's own 64 MiB */
  readonly shmSize?: number;
  /** processes and threads */
  readonly pids: number;
  /** open files */
  readonly files: number;
  /** other limits of its processes; absent: none but that of core files, which is 0 */
  readonly ulimits?: Ulimits;
  /** bytes of log kept per container */
  readonly log: number;
}

/** The limits of processes that may be set, by ulimit's names (setrlimit(2)); open files have a key of their own. */
export const ulimitNames = [
  'core',
  'cpu',
  'data',
  'fsize',
  'locks',
  'memlock',
  'msgqueue',
  'nice',
  'nproc',
  'rss',
  'rtprio',
  'rttime',
  'sigpending',
  'stack',
] as const;

/** name → soft and hard limit; -1: none */
export type Ulimits = Readonly<
  Partial<Record<(typeof ulimitNames)[number], { readonly soft: number; readonly hard: number }>>
>;

/** The way a container looks names up; absent fields: as its host does. */
export interface Dns {
  readonly servers?: readonly string[];
  readonly search?: readonly string[];
  readonly options?: readonly string[];
}

/** What an image's own settings, or its host's, leave to be said about a container's network and its end. */
export interface Surroundings {
  /** names in its /etc/hosts: host name → address */
  readonly extraHosts?: Readonly<Record<string, string>>;
  readonly dns?: Dns;
  /** absent: the image's own, else SIGTERM */
  readonly stopSignal?: string;
}

/** The destination of a container's output: a log driver with its options, or what the host's engine does by itself. */
export type Log =
  { readonly driver: 'host' } | { readonly driver: string; readonly options: Readonly<Record<string, string>> };

/**
 * The hardening of a container. Defaults are the safe ones; each exception carries a reason, which is recorded with the
 * revision.
 */
export interface Hardening {
  readonly readOnly: boolean;
  /** path in the container → bytes */
  readonly tmpfs: Readonly<Record<string, number>>;
  /** those of `tmpfs` from which programs may be run; absent: none */
  readonly executable?: readonly string[];
  /** capabilities added back, as `CAP_NET_BIND_SERVICE` */
  readonly capabilities: readonly string[];
  readonly noNewPrivileges: boolean;
  /** `uid[:gid]`, or names of the image's; absent: the image's own user, which must not be root unless `allowRoot` */
  readonly user?: string;
  readonly allowRoot: boolean;
  /** field → why it was opened */
  readonly reasons: Readonly<Record<string, string>>;
}

/**
 * A stateful neighbour, such as a database. A promotion makes it if it is missing or configured otherwise than before,
 * and leaves it alone otherwise.
 */
export interface Accessory extends Surroundings {
  readonly name: string;
  readonly image: string;
  readonly host: string;
  readonly command?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
  /** who reads the secrets: `uid`, `uid:gid` or names of its image; absent: whom the image starts as */
  readonly secretsOwner?: string;
  /** the port it listens on; other hosts reach it at the host's address */
  readonly port?: number;
  /** it may be published where the internet reaches it; at this address of its host, if it is a text */
  readonly expose?: true | string;
  /** volume name → path in the container */
  readonly volumes: Readonly<Record<string, string>>;
  /** checked until it answers, before the first release starts */
  readonly health?: { readonly command: readonly string[]; readonly timeout: number };
  /** how its data is written to stdout, and read again from stdin; absent: as its image is known to do it */
  readonly backup?: DataCommands;
  /** which database it is; absent: as its image says */
  readonly kind?: 'postgres' | 'mariadb' | 'redis';
  /** what copies for tests have besides what the migration makes */
  readonly seed?: Seed;
  /** the release's migration is for it; absent: as its kind usually is */
  readonly migrated?: boolean;
  readonly memory: number;
  /** absent: as many as there are */
  readonly cpus?: number;
  /** bytes of /dev/shm; absent: Docker's own 64 MiB */
  readonly shmSize?: number;
  /** limits of its processes; absent: as the host's engine has them */
  readonly ulimits?: Ulimits;
  /** absent: what the host's engine does by itself */
  readonly init?: boolean;
  /** absent: Docker's own rotating files */
  readonly log?: Log;
}

/** What a database for tests is filled with: a file for its client, relative to the project's root, or a command of the release. */
export type Seed = { readonly file: string } | { readonly command: readonly string[] };

/** The commands in the container of an accessory that write all of its data, and take it in again. */
export interface DataCommands {
  readonly command: readonly string[];
  readonly restore: readonly string[];
}

/** A command that runs once per environment and release, on its first host, before the new containers are started. */
export interface Migration {
  readonly command: readonly string[];
  readonly timeout: number;
  /** names of the secrets it gets as files in /run/secrets */
  readonly secrets: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** names of the accessories whose data are dumped before it runs; absent: none */
  readonly dump?: readonly string[];
  /** how many dumps of each are kept */
  readonly keep?: number;
}

/** The whole configuration: one application and the environments it goes through. */
export interface Project {
  /** name of the application */
  readonly app: string;
  /** folder of lockage.yaml */
  readonly root: string;
  /** Pulumi backend URL; `file://` URLs are absolute */
  readonly backend: string;
  /** URL of the folder of the audit log, absolute; absent: that of a backend that is a folder, else one of this computer */
  readonly auditLog?: string;
  /** repository releases are pushed to, without tag: `registry.example.com/shop`, or one of the embedded registry */
  readonly repository: string;
  readonly build: Build;
  /** registries that are reached without TLS, as `10.0.0.1:5000` */
  readonly insecureRegistries: readonly string[];
  /** what the next release declares of its data: see `Release` */
  readonly schema?: number;
  readonly compatible?: number;
  /** image of the edge proxy */
  readonly edgeImage: string;
  /** public keys whose signatures count; absent: none */
  readonly keys?: readonly TrustedKey[];
  /** who else hears of operations; absent: nobody, as of a reproduction's */
  readonly integrations?: Integrations;
  /** in pipeline order: an environment comes after those in its `after` */
  readonly environments: readonly Environment[];
}

/** The settings with which `release` builds the image. */
export interface Build {
  /** relative to the project's root */
  readonly context: string;
  readonly dockerfile: string;
  readonly args: Readonly<Record<string, string>>;
  readonly platform?: string;
  /** several, in one release; absent: `platform`, or the builder's own */
  readonly platforms?: readonly string[];
}

/** Returns where an environment's releases run: its orchestrator, or else its hosts. */
export function placesOf(environment: Pick<Environment, 'hosts' | 'orchestrator'>): readonly Target[] {
  return environment.orchestrator ? [environment.orchestrator] : environment.hosts;
}

/** Returns everything an environment has to do with: its hosts, and its orchestrator after them. */
export function allTargets({ hosts, orchestrator }: Pick<Environment, 'hosts' | 'orchestrator'>): readonly Target[] {
  return orchestrator ? [...hosts, orchestrator] : hosts;
}
