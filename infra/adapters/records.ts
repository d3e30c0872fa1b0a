import type { PlacedContainer } from '../../pipelines/model/desired-state.ts';
import type { MachineImage } from '../../pipelines/model/machine-image.ts';
import type { Records } from '../../pipelines/operations/ports.ts';
import type { EnvironmentRecord } from '../../pipelines/model/ledger.ts';
import type { Release } from '../../pipelines/model/release.ts';
import type { Ledger } from '../../pipelines/model/revision.ts';
import { unpacked } from '../resources/packing.ts';
import type {
  ContainerInputs,
  FoundationInputs,
  LoadBalancerInputs,
  LedgerInputs,
  MachineInputs,
  MachineNetworkInputs,
  MigrationInputs,
  RoutesInputs,
  SecretInputs,
} from '../resources/inputs.ts';
import type { PulumiSettings } from '../pulumi/cli.ts';
import type { PulumiStacks } from '../pulumi/stacks.ts';
import { readStack, type StackState } from '../pulumi/state.ts';
import { foundationStack, machinesStack } from '../pulumi/stack-names.ts';
import { providerContext, type Session } from '../context/session.ts';

const releasesStack = 'releases';
const imagesStack = 'machine-images';

/** What is recorded of an environment's own machines. */
export interface MachinesRecord {
  readonly network?: MachineNetworkInputs;
  readonly machines: readonly MachineInputs[];
  readonly loadBalancer?: LoadBalancerInputs;
}

/** What is recorded in the backend's stacks, read without starting Pulumi where the backend is a folder. */
export class RecordsAdapter implements Records {
  readonly #settings: PulumiSettings;
  readonly #project: string;
  readonly #session: Session;
  readonly #stacks: () => Promise<PulumiStacks>;

  constructor(settings: PulumiSettings, project: string, session: Session, stacks: () => Promise<PulumiStacks>) {
    this.#settings = settings;
    this.#project = project;
    this.#session = session;
    this.#stacks = stacks;
  }

  async environment(name: string): Promise<EnvironmentRecord> {
    return environmentRecord(await readStack(this.#settings, this.#project, name));
  }

  /** The name of the operation that an environment's routes were switched by last. */
  async lastOperation(environment: string): Promise<string | undefined> {
    const state = await readStack(this.#settings, this.#project, environment);
    return inputsOf<RoutesInputs>(state, 'Routes')[0]?.operation;
  }

  /** What the foundation was made from; undefined when there is none. */
  async foundation(environment: string): Promise<FoundationInputs | undefined> {
    const state = await readStack(this.#settings, this.#project, foundationStack(environment));
    return inputsOf<FoundationInputs>(state, 'Foundation')[0];
  }

  /** The machines that an environment owns, and their network; undefined when there is none. */
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
    const state = await readStack(this.#settings, this.#project, releasesStack);
    return inputsOf<{ releases: Release[] }>(state, 'Releases')[0]?.releases ?? [];
  }

  /** The images that machines are made from, oldest first. */
  async machineImages(): Promise<readonly MachineImage[]> {
    const state = await readStack(this.#settings, this.#project, imagesStack);
    return inputsOf<{ images: MachineImage[] }>(state, 'MachineImages')[0]?.images ?? [];
  }

  async saveMachineImages(images: readonly MachineImage[]): Promise<void> {
    const { MachineImages } = await import('../resources/classes.ts');
    await this.#record(imagesStack, () => new MachineImages({ app: this.#project, images }));
  }

  async saveReleases(releases: readonly Release[]): Promise<void> {
    const { Releases } = await import('../resources/classes.ts');
    await this.#record(releasesStack, () => new Releases({ app: this.#project, releases }));
  }

  async #record(stack: string, declare: () => unknown): Promise<void> {
    const stacks = await this.#stacks();
    const program = async () => void declare();
    await stacks.up(stack, program, providerContext(this.#session, false), { message: `record ${stack}` });
  }
}

function environmentRecord(state: StackState | undefined): EnvironmentRecord {
  const [ledger] = inputsOf<LedgerInputs>(state, 'Ledger');
  const [migration] = inputsOf<MigrationInputs>(state, 'Migration');
  return {
    ledger: ledgerOf(ledger),
    containers: inputsOf<ContainerInputs>(state, 'Container').map(({ host, spec }): PlacedContainer => ({
      host,
      spec,
    })),
    ...(migration ? { migration: { host: migration.host, spec: migration.spec, timeout: migration.timeout } } : {}),
    secrets: inputsOf<SecretInputs>(state, 'Secret').map(({ secret, version }) => ({ name: secret, version })),
  };
}

function ledgerOf(inputs: LedgerInputs | undefined): Ledger {
  if (!inputs) return { revisions: [] };
  const revisions = JSON.parse(inputs.revisions) as Ledger['revisions'];
  return {
    revisions,
    ...(inputs.hold ? { hold: inputs.hold } : {}),
    ...(inputs.cordons?.length ? { cordons: inputs.cordons } : {}),
  };
}

function inputsOf<Inputs>(state: StackState | undefined, type: string): Inputs[] {
  return (state?.resources ?? [])
    .filter((resource) => resource.type === `lockage:index:${type}`)
    .map((resource) => unpacked(resource.inputs) as Inputs);
}
