import type { GitHub } from '../../../pipelines/model/integrations.ts';
import type { ExternalApprovals } from '../../../pipelines/operations/ports/approvals.ts';
import type { OvertakenError } from '../../../pipelines/errors.ts';
import type { RecordLock } from '../../../pipelines/operations/ports/records.ts';
import type { Archive } from '../../../pipelines/model/archive.ts';
import type { Block } from '../../../pipelines/model/block.ts';
import type { Environment, Project } from '../../../pipelines/model/environment.ts';
import type { MachineImage } from '../../../pipelines/model/machine-image.ts';
import type { Plan } from '../../../pipelines/model/plan.ts';
import type { Release } from '../../../pipelines/model/release.ts';
import type { Signer } from '../../../pipelines/model/signer.ts';
import type { RegistryImage, StoredMachineImage, StoredOnHost } from '../../../pipelines/model/storage.ts';
import type { TrustedKey } from '../../../pipelines/model/trusted-key.ts';
import {
  perform,
  type OperationName,
  type PerformOptions,
  type RequestOf,
  type ResultOf,
} from '../../../pipelines/operations/perform.ts';
import type { Context } from '../../../pipelines/operations/ports.ts';
import type { Adoption } from '../../../pipelines/planning/plan-adoption.ts';
import type { StoredThing } from '../../../pipelines/planning/plan-pruning.ts';
import { MemoryAudit } from './memory-audit.ts';
import { MemoryPlace } from './memory-place.ts';
import { memoryPorts } from './memory-ports.ts';

/** What is to happen at a moment, when it comes for the nth time. */
export interface Happening {
  readonly moment: string;
  readonly nth: number;
  readonly act: () => void;
}

/** The end of an operator's program: what it had not done by then is not done. */
export class KilledError extends Error {}

/** All that operations can change, in memory. Every call is noted, and something can happen at any moment of one. */
export class MemoryWorld {
  releases: readonly Release[] = [];
  blocks: readonly Block[] = [];
  archives: readonly Archive[] = [];
  recordLocks: readonly RecordLock[] = [];
  /** bundles by their paths */
  readonly files = new Map<string, string>();
  /** the registry has another image under the tag of a release */
  moved = false;
  /** public keys that the project trusts */
  keys: readonly TrustedKey[] | undefined;
  github: GitHub | undefined;
  approvals: ExternalApprovals | undefined;
  /** who signs here */
  signer: Signer | undefined;
  /** bundles by the digest of the image */
  evidence = new Map<string, readonly string[]>();
  /** why the registry takes no bundles */
  registryProblem: string | undefined;
  /** milliseconds by which the clocks of all hosts are ahead of the operator's */
  ahead = 0;
  images: readonly MachineImage[] = [];
  readonly places: ReadonlyMap<string, MemoryPlace>;
  /** secret → its value's version, as the sources have it */
  versions: Readonly<Record<string, string>> = {};
  /** the value of a secret, which nothing that is recorded may have in it */
  readonly secret = 'hunter2-of-prod';
  /** jobs that fail */
  readonly failing = new Set<string>();
  /** the source tree, and the tags of the registry */
  tree = { commit: 'c1', changes: [] as string[] };
  readonly tags = new Map<string, Release['digest']>();
  /** the labels of images, by digest */
  readonly labels = new Map<string, Readonly<Record<string, string>>>();
  /** host → what it stores for releases */
  readonly stored = new Map<string, Pick<StoredOnHost, 'images' | 'volumes'>>();
  registry: readonly RegistryImage[] = [];
  /** the registry allows deletion */
  deletes = true;
  /** the images of machines on this computer */
  cache: readonly StoredMachineImage[] = [];
  prunings: (readonly StoredThing[])[] = [];
  /** digests of images that hosts were told to forget */
  forgotten: string[] = [];
  /** environments that are recorded, and not configured in this clone of the project */
  unconfigured: readonly string[] = [];
  /** a person is asked before anything is changed */
  asks = true;
  /** what was called, in order: `stacks.deploy` */
  calls: string[] = [];
  /** those of the calls that changed something */
  changes: string[] = [];
  /** calls, and what is inside of them: `stacks.deploy verified` */
  moments: string[] = [];
  /** what the operator was shown */
  notes: string[] = [];
  plans: Plan[] = [];
  adoptions: Adoption[] = [];
  /** that somebody else has the lock by now */
  overtaken: OvertakenError | undefined;
  readonly audit = new MemoryAudit();
  #happenings: Happening[] = [];
  #nthMoment: Pick<Happening, 'nth' | 'act'> | undefined;
  #killed = false;
  #stop = new AbortController();
  #clock = Date.parse('2026-01-02T00:00:00Z');
  #operations = 0;
  #before = '';

  constructor(environments: readonly Environment[]) {
    this.places = new Map(environments.map((each) => [each.name, new MemoryPlace(each)]));
  }

  /** Another world that is as this one is now. */
  copy(): MemoryWorld {
    const other = new MemoryWorld([...this.places.values()].map(({ configured }) => configured));
    for (const [name, place] of this.places) other.place(name).become(place);
    // Two operators never give one name to two operations.
    other.#operations = this.#operations + 1000;
    other.asks = this.asks;
    for (const [name, stored] of this.stored) other.stored.set(name, stored);
    [other.registry, other.deletes, other.cache] = [this.registry, this.deletes, this.cache];
    [other.releases, other.images, other.versions, other.tree] = [this.releases, this.images, this.versions, this.tree];
    [other.blocks, other.moved, other.ahead] = [this.blocks, this.moved, this.ahead];
    other.archives = this.archives;
    for (const job of this.failing) other.failing.add(job);
    [other.audit.lines, other.audit.newest] = [[...this.audit.lines], this.audit.newest];
    for (const [file, content] of this.files) other.files.set(file, content);
    return other;
  }

  place(name = 'prod'): MemoryPlace {
    const found = this.places.get(name);
    if (!found) throw new Error(`no environment ${name}`);
    return found;
  }

  /** Carries out an operation as the command line does. */
  async perform<Name extends OperationName>(
    name: Name,
    request: RequestOf<Name>,
    options: PerformOptions = {},
  ): Promise<ResultOf<Name>> {
    [this.calls, this.changes, this.moments, this.notes] = [[], [], [], []];
    [this.plans, this.adoptions, this.prunings] = [[], [], []];
    this.#stop = new AbortController();
    this.#before = this.state();
    return perform(this.context(), name, request, options);
  }

  /** Lets something happen at a moment, when it comes for the nth time. What it throws, the call throws. */
  at(moment: string, act: () => void, nth = 1): void {
    this.#happenings.push({ moment, nth, act });
  }

  fail(moment: string, error: Error, nth = 1): void {
    const act = () => {
      throw error;
    };
    this.at(moment, act, nth);
  }

  /** Lets something happen at the nth moment of the next operation, whichever it is. */
  atMoment(nth: number, act: () => void): void {
    this.#nthMoment = { nth, act };
  }

  /** The operator's program is gone: nothing of it is done any more, and nobody hears of it. */
  kill(): never {
    this.#killed = true;
    throw new KilledError('killed');
  }

  /** The operator presses Ctrl-C. */
  interrupt(): void {
    this.#stop.abort();
  }

  /** Time passes: milliseconds. */
  pass(milliseconds: number): void {
    this.#clock += milliseconds;
  }

  /** From here on nothing happens any more. */
  calm(): void {
    this.#happenings = [];
    this.#nthMoment = undefined;
    // The lock of a program that is gone stops nobody.
    if (this.#killed) for (const { locks } of this.places.values()) locks.clear();
    this.#killed = false;
  }

  refuseOvertaken(): void {
    if (this.overtaken) throw this.overtaken;
  }

  reach(moment: string): void {
    this.moments.push(moment);
    const count = this.moments.filter((each) => each === moment).length;
    for (const each of this.#happenings) if (each.moment === moment && each.nth === count) each.act();
    if (this.#nthMoment?.nth === this.moments.length) this.#nthMoment.act();
  }

  /** Carries out a call of a port, and notes it. */
  async call<T>(name: string, work: () => T): Promise<Awaited<T>> {
    if (this.#killed) throw new KilledError('killed');
    this.calls.push(name);
    this.reach(name);
    try {
      const result = await work();
      this.reach(`${name} done`);
      return result;
    } finally {
      const now = this.state();
      if (now !== this.#before) this.changes.push(name);
      this.#before = now;
    }
  }

  state(): string {
    return [
      JSON.stringify([this.releases, this.blocks, this.archives]),
      ...[...this.places.values()].map((place) => place.state()),
    ].join('\n');
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** The outside as a command that only reads has it. */
  context(): Context {
    return {
      ...memoryPorts(this),
      project: this.#project(),
      audit: this.audit,
      actor: 'anna@desk',
      now: () => (this.#clock += 1000),
      pause: async (milliseconds) => {
        this.reach('pause');
        this.#stop.signal.throwIfAborted();
        this.#clock += milliseconds;
      },
      newOperation: () => `op${(this.#operations += 1)}`,
      ...(this.approvals ? { approvals: this.approvals } : {}),
      signal: this.#stop.signal,
    };
  }

  #project(): Project {
    return {
      app: 'shop',
      root: '/shop',
      backend: 'file:///shop/state',
      repository: 'registry.example.com/shop',
      build: { context: '.', dockerfile: 'Dockerfile', args: {} },
      insecureRegistries: [],
      edgeImage: 'caddy:2',
      ...(this.keys ? { keys: this.keys } : {}),
      ...(this.github ? { integrations: { hooks: { timeout: 1 }, notifications: [], github: this.github } } : {}),
      environments: [...this.places.values()]
        .filter(({ configured }) => !this.unconfigured.includes(configured.name))
        .map((place) => place.withAddresses()),
    };
  }
}
