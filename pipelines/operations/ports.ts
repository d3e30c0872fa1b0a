import type { Drift, HostDrift } from '../inspection/drift.ts';
import type { Archive, ArchiveFile } from '../model/archive.ts';
import type { AuditFacts } from '../model/audit-entry.ts';
import type { Block } from '../model/block.ts';
import type { DesiredState, PlacedContainer, SecretVersion } from '../model/desired-state.ts';
import type { Accessory, Environment, Project } from '../model/environment.ts';
import type { Turn } from '../model/fence.ts';
import type { ClockAnswer, HostReport, PreflightReport } from '../model/host-report.ts';
import type { HostTraits, Trait } from '../model/host-traits.ts';
import type { Inventory } from '../model/inventory.ts';
import type { EnvironmentRecord } from '../model/ledger.ts';
import type { FoundLock, LockHolder } from '../model/lock-holder.ts';
import type { MachineImage } from '../model/machine-image.ts';
import type { Plan } from '../model/plan.ts';
import type { KeptRecord } from '../model/record-copy.ts';
import type { Digest, Release } from '../model/release.ts';
import type { HostStorage, RegistryImage, StoredMachineImage } from '../model/storage.ts';
import type { EnvironmentHost, Host, MachineSet, Target } from '../model/target.ts';
import type { Adoption } from '../planning/plan-adoption.ts';
import type { StoredThing } from '../planning/plan-pruning.ts';
import type { SecretVersions } from '../planning/rollout-inputs.ts';
import type { Dumps } from './dumps-port.ts';
import type { Verification } from './verification-port.ts';
import type { ExternalApprovals } from './approvals-port.ts';
import type { EvidencePort } from './evidence-port.ts';
import type { AuditLog } from './audit-port.ts';
import type { InstalledPackage } from '../model/evidence/bill-of-materials.ts';
import type { Observers } from './observers.ts';

/** The outside as operations need it. Each port is one outside world, or a part of it. */
export interface Context extends Ports {
  readonly project: Project;
  /** `user@machine` */
  readonly actor: string;
  /** Returns milliseconds since 1970. */
  now(): number;
  /** Waits for milliseconds. Throws when the operator wants to stop. */
  pause(milliseconds: number): Promise<void>;
  /** Returns a new name for a change that Pulumi carries out. */
  newOperation(): string;
  readonly secrets: Secrets;
  readonly terminal: Terminal;
  readonly audit: AuditLog;
  /** Tells the audit log what the operation is about; absent: this context carries out none. */
  readonly tell?: (facts: AuditFacts) => void;
  /** absent: nobody else hears of operations */
  readonly observers?: Observers;
  /** absent: nobody outside is asked for approvals */
  readonly approvals?: ExternalApprovals;
  /** aborted when the operator wants to stop */
  readonly signal: AbortSignal;
}

/** The ports through which something outside changes. */
export interface Ports {
  readonly records: Records;
  readonly registry: Registry;
  readonly builder: Builder;
  readonly configuration: Configuration;
  readonly hosts: Hosts;
  readonly machines: Machines;
  readonly stacks: Stacks;
  readonly removal: Removal;
  readonly accessories: Accessories;
  readonly storage: Storage;
  readonly drift: DriftPort;
  readonly bundles: Bundles;
  readonly verification: Verification;
  readonly dumps: Dumps;
  readonly evidence: EvidencePort;
}

/** The records in the backend. */
export interface Records {
  /** Returns the names of all environments that are recorded, also of those that are not configured here. Throws LockageError. */
  environments(): Promise<readonly string[]>;
  /** Returns what is recorded of an environment; of one that has no ledger any more, with that of its archive. */
  environment(name: string): Promise<EnvironmentRecord>;
  releases(): Promise<readonly Release[]>;
  /** Adds releases that hosts know to those that are recorded by then. Throws LockageError as `addRelease` does. */
  addReleases(releases: readonly Release[]): Promise<void>;
  /**
   * Adds a release to those that are recorded by then. Returns it as it is recorded. Throws LockageError when its version
   * was made of something else meanwhile.
   */
  addRelease(release: Release): Promise<Release>;
  /** Returns what keeps releases out of all environments. */
  blocks(): Promise<readonly Block[]>;
  /**
   * Changes the blocks by a function of those recorded by then. Returns those recorded after it. `message` for the history.
   */
  changeBlocks(change: (blocks: readonly Block[]) => readonly Block[], message: string): Promise<readonly Block[]>;
  machineImages(): Promise<readonly MachineImage[]>;
  /** Returns the environments that were archived; one that was promoted to again counts no more, and is among them still. */
  archives(): Promise<readonly Archive[]>;
  /** Changes the archives as `changeBlocks` does the blocks. */
  changeArchives(
    change: (archives: readonly Archive[]) => readonly Archive[],
    message: string,
  ): Promise<readonly Archive[]>;
}

/** The registries that images lie in. */
export interface Registry {
  /**
   * Checks that the registry still has the release as it was made. Throws LockageError when it does not answer, the
   * version's tag points elsewhere, or the digest is gone.
   */
  verify(release: Release): Promise<void>;
  /** Returns the image that a reference names, as `registry.example.com/shop:build-812`. Throws LockageError. */
  image(reference: string): Promise<ReleasedImage>;
  /**
   * Returns the digest that a version's tag points to; undefined where there is no such tag. `mayBeNew`: nothing was released
   * there yet, so that there may be no such repository. Throws LockageError.
   */
  tagged(repository: string, version: string, mayBeNew: boolean): Promise<Digest | undefined>;
  /** Returns the labels of an image; none where it is one of several platforms. Throws LockageError. */
  labels(image: Pick<Release, 'repository' | 'digest'>): Promise<Readonly<Record<string, string>>>;
  /**
   * Copies the image of a release from this computer's embedded registry, with all that it is made of, to a repository, under
   * its version. What is there already is not sent again. Throws LockageError, also when the digest there is another one
   * afterwards.
   */
  copy(release: Release, repository: string): Promise<CopiedImage>;
}

/** The outcome of copying an image. `absent`: it is in none of the two registries. */
export interface CopiedImage {
  readonly outcome: 'copied' | 'present' | 'absent';
  /** bytes that were sent */
  readonly bytes: number;
}

/** An image in a registry, as far as a release records it. */
export type ReleasedImage = Pick<Release, 'repository' | 'digest' | 'platform' | 'user'>;

/** The source tree that a release is built from. */
export interface SourceTree {
  /** absent: nothing was ever committed, or there is no repository */
  readonly commit?: string;
  /** files that differ from the commit */
  readonly changes: readonly string[];
}

/** The builder of the project's images. */
export interface Builder {
  tree(): Promise<SourceTree>;
  /** Builds the image of a version, labelled with what it is made of. Throws LockageError. */
  build(version: string, source: BuildSource, labels: Readonly<Record<string, string>>): Promise<void>;
  /**
   * Pushes the image that was built for a version. Throws LockageError, and BrokenError when the registry answers with
   * another one afterwards.
   */
  push(version: string): Promise<ReleasedImage>;
  /** Returns the packages that are installed in the image of a version; undefined where it is not here. Throws LockageError. */
  packages(version: string): Promise<readonly InstalledPackage[] | undefined>;
}

/** The source of an image: a commit, or the files of the folder as they are now, without those that git ignores. */
export type BuildSource = { readonly commit: string } | 'folder';

/** The configuration that people write, where an operation changes it. */
export interface Configuration {
  /** Returns the path of an environment's file, as people write it. */
  fileOf(environment: string): string;
  /** Checks that a host can be taken out of its environment's file. Writes nothing. Throws LockageError. */
  checkWithoutHost(environment: Environment, host: string): Promise<void>;
  /** Takes a host out of its environment's file: as a whole, or not at all. Throws LockageError. */
  removeHost(environment: Environment, host: string): Promise<void>;
}

/** The hosts of an environment, asked and changed all at once. */
export interface Hosts {
  /**
   * Takes the environment's lock on all hosts that answer, also those that only the record knows; one at least. Somebody
   * whose lease is over is overtaken. Throws LockedError naming who holds it and since when.
   */
  lock(environment: Environment, purpose: string): Promise<() => Promise<void>>;
  /** Returns who holds the environment's lock now; undefined when nobody does. */
  lockHolder(environment: Environment): Promise<FoundLock | undefined>;
  /**
   * Lifts a holder's lock, after the hosts have been told to refuse that one. Returns false, and lifts nothing, when
   * somebody else holds it by now.
   */
  liftLock(environment: Environment, holder: LockHolder): Promise<boolean>;
  /** Throws OvertakenError when somebody else has the lock that this command took. */
  checkLock(): Promise<void>;
  /**
   * Asks every host at once what it has: all that going back needs, where every millisecond counts. Throws LockageError
   * naming each one that does not answer or whose ports are taken.
   */
  look(environment: Environment): Promise<readonly HostReport[]>;
  /**
   * Asks targets at once what they have of an environment, for an operator who has lost the record. One that does not
   * answer says why.
   */
  kept(environment: Environment, targets: readonly Target[]): Promise<readonly KeptRecord[]>;
  /**
   * Asks every host as `look` does, and what it is made of, with the traits that are wanted. Throws LockageError as that
   * does.
   */
  preflight(environment: Environment, wanted?: readonly Trait[]): Promise<readonly PreflightReport[]>;
  /** Asks at once what hosts are made of. Throws LockageError naming each one that does not answer. */
  traits(environment: Environment, wanted: readonly Trait[]): Promise<readonly HostTraits[]>;
  /** Asks all hosts at once what time it is. Never throws for a host: one that does not answer says why. */
  clocks(environment: Environment): Promise<readonly ClockAnswer[]>;
  /** Pulls a release by digest on every host at once. Returns bytes moved by host name. Nothing has changed after it. */
  pull(environment: Environment, release: Release): Promise<Readonly<Record<string, number>>>;
  /**
   * Removes the images of a repository that have these digests: nothing needs them any more. What cannot be removed now is
   * tried again after the next promotion.
   */
  forgetImages(environment: Environment, repository: string, unneeded: ReadonlySet<string>): Promise<void>;
  /** Switches all hosts to containers that run already, at once. */
  switchNow(desired: DesiredState): Promise<void>;
  /**
   * Does all that switching to containers needs that run already, but the switch. Throws LockageError naming what keeps
   * which host from it.
   */
  rehearse(desired: DesiredState): Promise<void>;
  /** Starts containers that were stopped, and stops others: those without traffic. */
  startAndStop(
    environment: Environment,
    start: readonly PlacedContainer[],
    stop: readonly PlacedContainer[],
  ): Promise<void>;
  /** Asks all hosts at once whether they serve a state: its routes, and its containers. Never throws for a host. */
  serving(state: DesiredState): Promise<readonly ServingAnswer[]>;
  /** Removes containers of the environment's releases that are not among these: what a killed operation left. */
  removeOthers(environment: Environment, recorded: readonly PlacedContainer[]): Promise<void>;
}

/** A host's answer whether it serves a state, with what is wrong where it does not, or does not say. */
export interface ServingAnswer {
  readonly host: string;
  readonly fault?: string;
}

/** The machines that environments make for themselves. Others have none, and nothing is to do for them. */
export interface Machines {
  /**
   * Returns what has to be done before an environment's machines can be used, for people to read before they confirm;
   * nothing when they run. Throws LockageError when they were made otherwise than they are configured, or elsewhere.
   */
  pendingChanges(environment: Environment): Promise<readonly string[]>;
  /**
   * Returns whether machines of an image, as they are configured now, are others than those that serve. Throws
   * LockageError when they cannot be made here.
   */
  needsReplacement(environment: Environment, image: string): Promise<boolean>;
  /**
   * Makes and starts what is missing. Returns the environment with its machines' addresses. Where `image` makes others
   * than those that serve, these are made beside them, and are the hosts of the environment that is returned.
   */
  ensure(environment: Environment, image?: string): Promise<Environment>;
  /**
   * Points the environment's one address at its hosts that are in service, and at no others. Resolves when those that it
   * led to have no request under way.
   */
  routeTo(environment: Environment): Promise<void>;
  /**
   * Removes machines that neither serve nor are configured, with all that is recorded of them; the one address leads to
   * the others before.
   */
  reconcile(environment: string): Promise<void>;
  /** Returns what an environment has of machines: recorded, or left on this computer by a command that was killed. */
  present(environment: string): Promise<MachinesPresent>;
  /** Removes all machines of an environment with all that is on them, their network, keys and record. */
  destroy(environment: string): Promise<void>;
  /** Starts the machines of an environment that are here and do not run, and makes none. Returns all of them. */
  start(environment: string): Promise<readonly StartedMachine[]>;
  /** Builds an image of today's packages for machines of a kind, and records it. Throws LockageError. */
  build(version: string, kind: MachineSet['kind']): Promise<MachineImage>;
}

/** A machine, and whether it runs now: one whose files are gone is not made again. */
export interface StartedMachine {
  readonly environment: string;
  readonly host: string;
  readonly runs: boolean;
}

/** The machines of an environment that are there. */
export interface MachinesPresent {
  /** a record of them exists */
  readonly recorded: boolean;
  readonly names: readonly string[];
  /** URLs of the hosts that the recorded ones are */
  readonly urls: readonly string[];
}

/** The ground that an environment stands on, as it is wanted. */
export interface FoundationRequest {
  /** with all its hosts: what stands on a cordoned one is still declared */
  readonly environment: Environment;
  /** without the cordoned hosts */
  readonly active: Environment;
  /** versions of the secrets that its accessories get */
  readonly versions: SecretVersions;
  /** what its hosts said; absent: only a change of the configuration counts */
  readonly reports?: readonly HostReport[];
  /** what is made again although it is there: it drifted. Nothing that is configured otherwise comes in with it */
  readonly drifted?: readonly HostPart[];
}

/** Something that a host has, by its name. */
export interface HostPart {
  readonly host: Target;
  /** name of the container, service or network */
  readonly what: string;
}

/** The hosts that are to keep a copy of what is recorded of their environment. */
export interface CopyRequest {
  readonly environment: string;
  readonly hosts: readonly EnvironmentHost[];
  /** of the operation that recorded it */
  readonly turn: Turn;
}

/** The environments as Pulumi stacks. */
export interface Stacks {
  /** Returns what making the foundation would mean, for people to read before they confirm; nothing when it stands. */
  foundationNotes(request: FoundationRequest): Promise<readonly string[]>;
  /**
   * Makes the environment's network, edges and accessories as configured. Quick when nothing is to do. Hosts that are no
   * longer configured stay until their containers are gone, and go when that is said.
   */
  foundation(request: FoundationRequest, options: { readonly leaving: 'stay' | 'go' }): Promise<void>;
  /** Records what is tried, and nothing else. Throws RecordChangedError as `deploy` does. */
  recordAttempt(desired: DesiredState): Promise<void>;
  /**
   * Runs one `pulumi up` of the environment, and gives its hosts a copy of what is recorded then. Throws
   * RecordChangedError when the record is not the one that it was decided from any more, or what failed.
   */
  deploy(desired: DesiredState, message: string): Promise<void>;
  /** Records what is there already. Makes, changes and removes nothing. Throws what failed. */
  adopt(desired: DesiredState, message: string): Promise<void>;
  /**
   * Records networks, edges and accessories that are there already as they are configured, and touches none. Returns those that
   * are otherwise, as `prod-1 trial-prod-edge`: then none is recorded. Throws LockageError.
   */
  adoptFoundation(request: FoundationRequest): Promise<readonly string[]>;
  /** Gives hosts a copy of what is recorded. One that does not take it is shown. */
  copyRecord(request: CopyRequest): Promise<void>;
}

/** The parts of an environment that are stacks of their own. */
export type StackPart = 'releases' | 'foundation';

/** The removal of an environment from its hosts, and out of the record. */
export interface Removal {
  /** Returns the parts of the environment that are recorded. */
  recorded(environment: string): Promise<ReadonlySet<StackPart>>;
  /** Returns what hosts have of an environment, by its labels. Throws LockageError when one does not answer. */
  inventory(environment: Environment, targets: readonly Target[]): Promise<readonly Inventory[]>;
  /**
   * Destroys a stack. Returns why Pulumi could not remove all of it; undefined when it did. Throws LockedError, or
   * OvertakenError.
   */
  destroyStack(environment: string, part: StackPart): Promise<string | undefined>;
  /** Removes what is listed, and data only if `withData`. */
  remove(inventory: Inventory, withData: boolean): Promise<void>;
  /** Forgets a stack, with what is recorded in it. */
  forgetStack(environment: string, part: StackPart): Promise<void>;
  /** Forgets what is recorded of a host that is gone for good. */
  forgetHost(environment: string, host: string): Promise<void>;
}

/** An accessory of an environment. */
export interface AccessoryPlace {
  readonly environment: Environment;
  readonly accessory: Accessory;
}

/** The outcome of a backup. */
export interface BackupResult {
  readonly bytes: number;
  /** milliseconds */
  readonly took: number;
  /** milliseconds of the restore that proved it; absent: it was not proven */
  readonly proven?: number;
}

/** The accessories of environments, on their hosts. Each call throws LockageError where one is not there. */
export interface Accessories {
  /** Stops one, starts it again and waits until it works. Throws BrokenError when it does not. */
  restart(place: AccessoryPlace): Promise<void>;
  /** Writes its data to a file, and proves that they can be restored. Throws LockageError; an earlier file is left then. */
  backUp(place: AccessoryPlace, file: string, options: { readonly prove: boolean }): Promise<BackupResult>;
  /** Checks that its data could be replaced by those of a file: it runs, and the file is whole. Throws LockageError. */
  checkBackup(place: AccessoryPlace, file: string): Promise<void>;
  /** Takes the data of a file in. Throws RolledBackError where it has what it had for certain, else BrokenError. */
  restore(place: AccessoryPlace, file: string): Promise<void>;
}

/** The images and volumes that releases leave behind. */
export interface Storage {
  /** Asks hosts at once what they store for an environment of images of these repositories. Never throws for a host. */
  onHosts(
    environment: Environment,
    hosts: readonly Host[],
    repositories: readonly string[],
  ): Promise<readonly HostStorage[]>;
  /** Takes these names off an image, which goes with the last one. Throws LockageError. */
  removeImage(host: Host, names: readonly string[]): Promise<void>;
  /** Removes a volume. Throws LockageError, also when a container uses it by now. */
  removeVolume(host: Host, name: string): Promise<void>;
  /** Returns the images of releases that the registry still has. Throws LockageError. */
  inRegistry(releases: readonly Release[]): Promise<readonly RegistryImage[]>;
  /** Removes an image with its tags. Returns false where the registry allows no deletion. Throws LockageError. */
  removeFromRegistry(image: RegistryImage): Promise<boolean>;
  /** Frees the disk of what was removed from the registry of this computer; others do it by themselves. Throws LockageError. */
  freeRegistry(): Promise<void>;
  /** Returns the images of machines on this computer. */
  machineImages(): Promise<readonly StoredMachineImage[]>;
  removeMachineImage(digest: string): Promise<void>;
}

/** A container or service that is about to go, with what was found of it. */
export interface Evidence extends HostPart {
  readonly drift: readonly Drift[];
}

/** What hosts have that is not as it is recorded. */
export interface DriftPort {
  /** Asks all hosts in service at once. Never throws for a host: one that does not answer says why. */
  find(environment: Environment, record: EnvironmentRecord): Promise<readonly HostDrift[]>;
  /**
   * Keeps of each what was found, which of its files differ from its image and, unless that is left out, the end of its
   * output, without secrets. Returns the folder. Throws LockageError when nothing can be written.
   */
  keep(environment: string, evidence: readonly Evidence[], options: { readonly output: boolean }): Promise<string>;
}

/** Files that have a revision of an environment with all its images. */
export interface Bundles {
  /**
   * Writes what serves in an environment to a file, and reads all of it once more: as a whole or not at all. Throws
   * LockageError, also when that is another revision.
   */
  write(environment: string, revision: number, file: string): Promise<ArchiveFile>;
  /** Throws LockageError when a file is not there, or is not as it was written. */
  check(file: ArchiveFile): Promise<void>;
}

/** The one door for secrets: names and versions travel, values stay behind it until a resource needs them. */
export interface Secrets {
  /**
   * Reads all secrets that an environment uses from their sources. Returns their versions: a recorded one stays for as
   * long as the value does. Throws LockageError.
   */
  read(environment: Environment, recorded?: SecretVersions): Promise<SecretVersions>;
  /**
   * Makes recorded values available, for containers that are made again as they were. Throws LockageError naming the
   * versions whose values are not recorded.
   */
  recall(environment: string, versions: readonly SecretVersion[]): Promise<void>;
  /** Returns a text without the values that were read or recalled, as it may be recorded. */
  mask(text: string): string;
}

/** The operator's screen. */
export interface Terminal {
  /** Begins one step of the work; ends the one before. */
  step(name: string, detail?: string): void;
  note(text: string): void;
  /** Says for whom the command waits, and how long; each call takes the place of the one before. */
  waiting(text: string): void;
  plan(plan: Plan): void;
  /** Shows what is taken over from hosts. */
  adoption(adoption: Adoption): void;
  /** Shows what a removal takes away from hosts. */
  inventory(found: readonly Inventory[], withData: boolean): void;
  /** Shows what is stored, what of it goes, and why. */
  pruning(things: readonly StoredThing[]): void;
  /** Shows machines that a removal takes away. */
  machines(names: readonly string[]): void;
  /** a person is asked; false: they have agreed beforehand, and `confirm` asks nobody */
  readonly asks: boolean;
  /** Throws LockageError when the person says no, or nobody can be asked. */
  confirm(question: string): Promise<void>;
}
