import type { DesiredState, PlacedContainer } from '../model/desired-state.ts';
import type { Environment, Project } from '../model/environment.ts';
import type { MachineImage } from '../model/machine-image.ts';
import type { Plan } from '../model/plan.ts';
import type { EnvironmentRecord } from '../model/ledger.ts';
import type { Release } from '../model/release.ts';
import type { HostTraits, Trait } from '../model/host-traits.ts';
import type { HostReport, PreflightReport } from '../model/host-report.ts';

/** What the flows need of the world outside. Each member is one outside world, or a part of it. */
export interface Context {
  readonly project: Project;
  /** `user@machine` */
  readonly actor: string;
  /** milliseconds since 1970 */
  now(): number;
  /** a new name for an operation */
  newOperation(): string;
  readonly records: Records;
  readonly registry: Registry;
  readonly hosts: Hosts;
  readonly machines: Machines;
  readonly stacks: Stacks;
  readonly secrets: Secrets;
  readonly terminal: Terminal;
  /** aborted when the operator wants to stop */
  readonly signal: AbortSignal;
}

/** What is recorded in the backend. */
export interface Records {
  environment(name: string): Promise<EnvironmentRecord>;
  releases(): Promise<readonly Release[]>;
  saveReleases(releases: readonly Release[]): Promise<void>;
  machineImages(): Promise<readonly MachineImage[]>;
}

export interface Registry {
  /**
   * Checks that the registry still has the release as it was made. Throws LockageError when it does not answer, the
   * version's tag points elsewhere, or the digest is gone.
   */
  verify(release: Release): Promise<void>;
}

export interface Hosts {
  /** Takes the environment's lock. Throws LockageError (locked) naming who holds it and since when. */
  lock(environment: Environment, purpose: string): Promise<() => Promise<void>>;
  /**
   * Asks every host at once what it has: all that going back needs, where every millisecond counts. Throws LockageError
   * naming each one that does not answer or whose ports are taken.
   */
  look(environment: Environment): Promise<readonly HostReport[]>;
  /** The same, and what the hosts are made of, with the traits that are wanted. */
  preflight(environment: Environment, wanted?: readonly Trait[]): Promise<readonly PreflightReport[]>;
  /** What hosts are made of, asked at once. Throws LockageError naming each one that does not answer. */
  traits(environment: Environment, wanted: readonly Trait[]): Promise<readonly HostTraits[]>;
  /** Pulls a release by digest on every host at once. Returns bytes moved by host name. Nothing has changed after it. */
  pull(environment: Environment, release: Release): Promise<Readonly<Record<string, number>>>;
  /**
   * Removes the images of a repository that nothing needs any more. What cannot be removed now is tried again after the
   * next promotion.
   */
  forgetImages(environment: Environment, repository: string, needed: ReadonlySet<string>): Promise<void>;
  /** Switches all hosts to containers that run already, at once. */
  switchNow(desired: DesiredState): Promise<void>;
  /** Starts containers that were stopped, and stops others: those without traffic. */
  startAndStop(
    environment: Environment,
    start: readonly PlacedContainer[],
    stop: readonly PlacedContainer[],
  ): Promise<void>;
  /** Removes containers of the environment's releases that are not among these: what a killed operation left. */
  removeOthers(environment: Environment, recorded: readonly PlacedContainer[]): Promise<void>;
}

/** The machines that environments make for themselves. Others have none, and nothing is to do for them. */
export interface Machines {
  /**
   * What has to be done before an environment's machines can be used, for people to read before they confirm; nothing
   * when they run. Throws LockageError when they were made otherwise than they are configured, or on another computer.
   */
  pendingChanges(environment: Environment): Promise<readonly string[]>;
  /**
   * Whether machines of an image, as they are configured now, are others than those that serve. Throws LockageError when
   * they cannot be made here.
   */
  needsReplacement(environment: Environment, image: string): Promise<boolean>;
  /**
   * Makes and starts what is missing. The project of the world knows their addresses afterwards. Where `image` makes others
   * than those that serve, these are made beside them, and are the environment's hosts for the rest of the command.
   */
  ensure(environment: Environment, image?: string): Promise<void>;
  /**
   * Lets the environment's one address lead to its hosts that are in service, and to no others. Resolves when those that it
   * led to have no request under way.
   */
  routeTo(environment: Environment): Promise<void>;
  /**
   * Machines that neither serve nor are configured go, with all that is recorded of them; the one address leads to the
   * others before. The project of the world has the machines that the record says, and where they are.
   */
  reconcile(environment: string): Promise<void>;
}

export interface Stacks {
  /** What making the foundation would mean, for people to read before they confirm; nothing when it stands. */
  foundationNotes(environment: Environment, reports: readonly HostReport[]): Promise<readonly string[]>;
  /**
   * Makes the environment's network, edges and accessories as configured. Quick when nothing is to do. Hosts
   * that are no longer configured stay until their containers are gone, and go when that is said. Without reports only
   * a change of the configuration counts.
   */
  foundation(
    environment: Environment,
    reports: readonly HostReport[] | undefined,
    options: { readonly leaving: 'stay' | 'go' },
  ): Promise<void>;
  /** One `pulumi up` of the environment. Throws what failed. */
  deploy(desired: DesiredState, message: string): Promise<void>;
}

export interface Secrets {
  /** Reads the values of all secrets that an environment uses: name → value. */
  read(environment: Environment): Promise<Readonly<Record<string, string>>>;
  /** Short hash of a value that does not give it away. */
  version(value: string): string;
  /** The values that a record holds, decrypted: `NAME@version` → value. */
  recorded(environment: string): Promise<Readonly<Record<string, string>>>;
}

export interface Terminal {
  /** One step of the work begins; ends the one before. */
  step(name: string, detail?: string): void;
  note(text: string): void;
  plan(plan: Plan): void;
  /** Throws LockageError when the person says no, or nobody can be asked. */
  confirm(question: string): Promise<void>;
}
