import { LockedError } from '../../pipelines/errors.ts';
import { archiveOf, type Archive } from '../../pipelines/model/archive.ts';
import type { Block, ReleaseList } from '../../pipelines/model/block.ts';
import type { EnvironmentRecord } from '../../pipelines/model/ledger.ts';
import type { MachineImage } from '../../pipelines/model/machine-image.ts';
import type { Release } from '../../pipelines/model/release.ts';
import { releaseNamed, withRelease } from '../../pipelines/model/releases.ts';
import type { RecordLock, Records } from '../../pipelines/operations/ports/records.ts';
import type { Session } from '../context/session.ts';
import type { PulumiSettings } from '../pulumi/cli.ts';
import { foundationStack, isCommonStack, machinesStack } from '../pulumi/stack-names.ts';
import type { StackRunner } from '../pulumi/stack-runner.ts';
import { locksOn } from '../pulumi/stale-lock.ts';
import { listStacks, readStack } from '../pulumi/state.ts';
import type {
  AccessoryInputs,
  EdgeInputs,
  FoundationInputs,
  LoadBalancerInputs,
  MachineInputs,
  MachineNetworkInputs,
  RoutesInputs,
  SecretFilesInputs,
} from '../resources/inputs.ts';
import type { StandingRecord } from '../workloads/runtime.ts';
import { CommonRecords, type CommonRecord } from './common-records.ts';
import { environmentRecord, hasLedger, inputsOf } from './environment-record.ts';

const releasesRecord: CommonRecord<ReleaseList> = {
  stack: 'releases',
  type: 'Releases',
  valueOf: ({ releases = [], blocks = [] }) => ({ releases, blocks }),
};
const machineImagesRecord: CommonRecord<{ readonly images: readonly MachineImage[] }> = {
  stack: 'machine-images',
  type: 'MachineImages',
  valueOf: ({ images = [] }) => ({ images }),
};
/** A stack of its own: releases are read often, and an archive has thirty revisions. */
const archivesRecord: CommonRecord<{ readonly archives: readonly Archive[] }> = {
  stack: 'archives',
  type: 'Archives',
  valueOf: ({ archives = [] }) => ({ archives }),
};

/** The record of an environment's own machines. */
export interface MachinesRecord {
  readonly network?: MachineNetworkInputs;
  readonly machines: readonly MachineInputs[];
  readonly loadBalancer?: LoadBalancerInputs;
}

/** The records in the backend's stacks, read without starting Pulumi where the backend is a folder. */
export class RecordsAdapter implements Records {
  readonly #settings: PulumiSettings;
  readonly #project: string;
  readonly #stacks: () => Promise<StackRunner>;
  readonly #common: CommonRecords;
  readonly #elsewhere: () => Promise<readonly Release[]>;
  readonly #seen = new Map<string, EnvironmentRecord>();

  /** `elsewhere`: releases that are recorded in another state, and are to be found here as well */
  constructor(
    settings: PulumiSettings,
    project: string,
    session: Session,
    stacks: () => Promise<StackRunner>,
    elsewhere: () => Promise<readonly Release[]> = () => Promise.resolve([]),
  ) {
    this.#settings = settings;
    this.#project = project;
    this.#stacks = stacks;
    this.#common = new CommonRecords({ settings, project, session, stacks });
    this.#elsewhere = elsewhere;
  }

  async environments(): Promise<readonly string[]> {
    const stacks = await listStacks(this.#settings, this.#project);
    // Evidence of a thousand releases lies in hundreds of stacks.
    const rest = stacks.filter((stack) => !isCommonStack(stack));
    const parts = new Set(rest.flatMap((name) => [foundationStack(name), machinesStack(name)]));
    return rest.filter((stack) => !parts.has(stack));
  }

  async locks(): Promise<readonly RecordLock[]> {
    const common = (await listStacks(this.#settings, this.#project)).filter(isCommonStack);
    return (await Promise.all(common.map((stack) => this.#locksOf(stack)))).flat();
  }

  async #locksOf(stack: string): Promise<readonly RecordLock[]> {
    const holders = await locksOn(this.#settings, { project: this.#project, stack });
    return holders?.map((holder) => ({ record: stack, holder })) ?? [{ record: stack }];
  }

  async liftLocks(locks: readonly RecordLock[]): Promise<void> {
    const records = [...new Set(locks.map(({ record }) => record))].filter(isCommonStack);
    const shown = new Set(locks.map((lock) => JSON.stringify(lock)));
    const other = (await Promise.all(records.map((record) => this.#locksOf(record))))
      .flat()
      .find((lock) => !shown.has(JSON.stringify(lock)));
    if (other) throw new LockedError(`${other.record} changed hands meanwhile: nothing was lifted`);
    const stacks = await this.#stacks();
    // One after the other: each is a process where the backend is no folder.
    for (const { record, holder } of locks)
      await (holder ? stacks.liftLock(record, holder) : stacks.cancelLocks([record]));
  }

  async environment(name: string): Promise<EnvironmentRecord> {
    const state = await readStack(this.#settings, this.#project, name);
    const record = environmentRecord(state, hasLedger(state) ? undefined : archiveOf(await this.archives(), name));
    this.#seen.set(name, record);
    return record;
  }

  /** Returns the record of an environment as this command has read it last: to read some backends takes seconds. */
  async seen(name: string): Promise<EnvironmentRecord> {
    return this.#seen.get(name) ?? this.environment(name);
  }

  /** Returns what an environment's routes were switched by last. */
  async lastSwitch(environment: string): Promise<Pick<RoutesInputs, 'operation' | 'turn'> | undefined> {
    const state = await readStack(this.#settings, this.#project, environment);
    return inputsOf<RoutesInputs>(state, 'Routes')[0];
  }

  /** Returns what the foundation was made from; undefined when there is none. */
  async foundation(environment: string): Promise<FoundationInputs | undefined> {
    const state = await readStack(this.#settings, this.#project, foundationStack(environment));
    return inputsOf<FoundationInputs>(state, 'Foundation')[0];
  }

  /** Returns what stays on an environment's hosts while releases come and go. */
  async standing(environment: string): Promise<StandingRecord> {
    const state = await readStack(this.#settings, this.#project, foundationStack(environment));
    const [foundation] = inputsOf<FoundationInputs>(state, 'Foundation');
    return {
      edges: inputsOf<EdgeInputs>(state, 'Edge'),
      accessories: inputsOf<AccessoryInputs>(state, 'Accessory'),
      ...(foundation ? { foundation } : {}),
    };
  }

  /** Returns who reads the secrets of accessories, where that was configured: volume → user. */
  async secretOwners(environment: string): Promise<ReadonlyMap<string, string>> {
    const state = await readStack(this.#settings, this.#project, foundationStack(environment));
    const files = inputsOf<SecretFilesInputs>(state, 'SecretFiles');
    return new Map(files.flatMap(({ volume, user }) => (volume === undefined || !user ? [] : [[volume, user]])));
  }

  /** Returns the hosts of which a foundation's network is recorded. */
  async foundationNetworks(environment: string): Promise<ReadonlySet<string>> {
    const state = await readStack(this.#settings, this.#project, foundationStack(environment));
    const networks = (state?.resources ?? []).filter(({ type }) => type === 'docker:index/network:Network');
    return new Set(networks.map(({ urn }) => (urn.split('::').at(-1) ?? '').replace(/-network$/, '')));
  }

  /** Returns the machines that an environment owns, and their network; undefined when there is none. */
  async machines(environment: string): Promise<MachinesRecord | undefined> {
    const state = await readStack(this.#settings, this.#project, machinesStack(environment));
    const [network] = inputsOf<MachineNetworkInputs>(state, 'MachineNetwork');
    const machines = inputsOf<MachineInputs>(state, 'Machine');
    const [loadBalancer] = inputsOf<LoadBalancerInputs>(state, 'Front');
    return (
      state && { machines, ...(network ? { network } : {}), ...(loadBalancer ? { loadBalancer: loadBalancer } : {}) }
    );
  }

  async releases(): Promise<readonly Release[]> {
    const own = (await this.#common.read(releasesRecord)).value.releases;
    const others = await this.#elsewhere();
    const versions = new Set(own.map(({ version }) => version));
    return [...own, ...others.filter(({ version }) => !versions.has(version))];
  }

  async blocks(): Promise<readonly Block[]> {
    return (await this.#common.read(releasesRecord)).value.blocks;
  }

  /** Returns the images that machines are made from, oldest first. */
  async machineImages(): Promise<readonly MachineImage[]> {
    return (await this.#common.read(machineImagesRecord)).value.images;
  }

  /** Changes the images that machines are made from by a function of those recorded. Returns those recorded then. */
  async changeMachineImages(
    change: (images: readonly MachineImage[]) => readonly MachineImage[],
  ): Promise<readonly MachineImage[]> {
    const { MachineImages } = await import('../resources/classes.ts');
    const app = this.#project;
    const changed = await this.#common.change(machineImagesRecord, {
      change: (stored) => {
        const images = change(stored.images);
        return images === stored.images ? stored : { images };
      },
      declare: ({ images }, basis) => new MachineImages({ app, images }, basis),
    });
    return changed.images;
  }

  async addRelease(release: Release): Promise<Release> {
    return releaseNamed((await this.#addReleases([release])).releases, release.version);
  }

  async addReleases(releases: readonly Release[]): Promise<void> {
    await this.#addReleases(releases);
  }

  #addReleases(added: readonly Release[]): Promise<ReleaseList> {
    return this.#changeReleases((stored) => {
      const releases = added.reduce(withRelease, stored.releases);
      return releases === stored.releases ? stored : { ...stored, releases };
    });
  }

  async changeBlocks(
    change: (blocks: readonly Block[]) => readonly Block[],
    message: string,
  ): Promise<readonly Block[]> {
    const changed = await this.#changeReleases((stored) => {
      const blocks = change(stored.blocks);
      return blocks === stored.blocks ? stored : { ...stored, blocks };
    }, message);
    return changed.blocks;
  }

  async archives(): Promise<readonly Archive[]> {
    return (await this.#common.read(archivesRecord)).value.archives;
  }

  async changeArchives(
    change: (archives: readonly Archive[]) => readonly Archive[],
    message: string,
  ): Promise<readonly Archive[]> {
    const { Archives } = await import('../resources/classes.ts');
    const app = this.#project;
    const changed = await this.#common.change(archivesRecord, {
      change: (stored) => {
        const archives = change(stored.archives);
        return archives === stored.archives ? stored : { archives };
      },
      declare: ({ archives }, basis) => new Archives({ app, archives }, basis),
      message,
    });
    return changed.archives;
  }

  async #changeReleases(change: (stored: ReleaseList) => ReleaseList, message?: string): Promise<ReleaseList> {
    const { Releases } = await import('../resources/classes.ts');
    const app = this.#project;
    return this.#common.change(releasesRecord, {
      change,
      declare: ({ releases, blocks }, basis) =>
        new Releases({ app, releases, ...(blocks.length > 0 ? { blocks } : {}) }, basis),
      ...(message === undefined ? {} : { message }),
    });
  }
}
