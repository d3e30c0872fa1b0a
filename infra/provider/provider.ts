import type * as pulumi from '@pulumi/pulumi';
import { LockageError } from '../../pipelines/errors.ts';
import { canonicalJson } from '../../pipelines/model/fingerprint.ts';
import type { HeldLock } from '../context/held-lock.ts';
import type { ProviderContext } from '../context/provider-context.ts';
import { ensureBridge, removeOwnBridge } from '../machines/bridge.ts';
import { loadBalancerFolder, ensureLoadBalancer, removeLoadBalancer } from '../machines/load-balancer/load-balancer.ts';
import { ensureMachine, removeMachine } from '../machines/machine.ts';
import { acceptedInputs } from '../resources/basis.ts';
import type { DeclaredResources, ResourceName } from '../resources/declared.ts';
import type {
  AccessoryInputs,
  ContainerInputs,
  EdgeInputs,
  LoadBalancerInputs,
  HandoverInputs,
  MachineInputs,
  MachineNetworkInputs,
  MigrationInputs,
  OverlayInputs,
  RoutesInputs,
  SecretFilesInputs,
  TurnInputs,
  VerificationInputs,
  WatchInputs,
} from '../resources/inputs.ts';
import { unpacked } from '../resources/packing.ts';
import { failpoint } from '../system/failpoint.ts';
import { lockageVersion } from '../system/tool-versions.ts';
import { fillAccessoryVolume, removeAccessoryVolume } from '../workloads/accessory-secrets.ts';
import { ensureAccessory, removeAccessory } from '../workloads/foundation/accessory-container.ts';
import { ensureEdge, removeEdge } from '../workloads/foundation/edge-container.ts';
import { workloadFor } from '../workloads/runtimes.ts';
import { createOverlay, removeOverlay } from '../workloads/swarm/overlay-network.ts';
import { handOver } from './handover.ts';
import { runMigration } from './migration.ts';
import { switchRoutes } from './switch-routes.ts';
import { takeTurn } from './turn.ts';
import { verifyContainers } from './verification.ts';
import { watchRelease } from './watch.ts';

export const providerName = 'lockage';

interface Kind {
  /** carries out what the inputs say, on creation and on every change */
  apply?(context: ProviderContext, inputs: never): Promise<unknown>;
  remove?(context: ProviderContext, inputs: never): Promise<void>;
  /** it becomes what the inputs say, instead of being named by them */
  readonly changes?: true;
  /** it acts although what is declared is there already */
  readonly claims?: true;
}

/** Every resource type of the provider: what it does, or nothing where it only records. */
const kinds: Readonly<Record<string, Kind>> = {
  Container: {
    apply: (context, inputs: ContainerInputs) => workloadFor(context, inputs).create(),
    remove: (context, inputs: ContainerInputs) => workloadFor(context, inputs).remove(),
  },
  Turn: { apply: (context, inputs: TurnInputs) => takeTurn(context, inputs), claims: true },
  Migration: { apply: (context, inputs: MigrationInputs) => runMigration(context, inputs) },
  Verification: { apply: (context, inputs: VerificationInputs) => verifyContainers(context, inputs) },
  Routes: { apply: (context, inputs: RoutesInputs) => switchRoutes(context, inputs) },
  Handover: { apply: (context, inputs: HandoverInputs) => handOver(context, inputs) },
  Watch: { apply: (context, inputs: WatchInputs) => watchRelease(context, inputs) },
  Overlay: {
    apply: (context, inputs: OverlayInputs) => createOverlay(context, inputs),
    remove: (context, inputs: OverlayInputs) => removeOverlay(context, inputs),
  },
  Edge: {
    apply: (context, inputs: EdgeInputs) => ensureEdge(context, inputs),
    remove: (context, inputs: EdgeInputs) => removeEdge(context, inputs),
    changes: true,
  },
  Accessory: {
    apply: (context, inputs: AccessoryInputs) => ensureAccessory(context, inputs),
    remove: (context, inputs: AccessoryInputs) => removeAccessory(context, inputs),
    changes: true,
  },
  Secret: {},
  SecretFiles: {
    apply: (context, inputs: SecretFilesInputs) => fillAccessoryVolume(context, inputs),
    remove: (context, inputs: SecretFilesInputs) => removeAccessoryVolume(context, inputs),
    changes: true,
  },
  Foundation: {},
  MachineNetwork: {
    apply: (_context, inputs: MachineNetworkInputs) => ensureBridge(inputs),
    remove: (_context, inputs: MachineNetworkInputs) => removeOwnBridge(inputs),
  },
  Machine: {
    apply: (context, inputs: MachineInputs) => ensureMachine(context, inputs),
    remove: (context, inputs: MachineInputs) => removeMachine(context.machines, inputs),
  },
  Front: {
    apply: (context, inputs: LoadBalancerInputs) => ensureLoadBalancer(context.machines, inputs),
    remove: (context, inputs: LoadBalancerInputs) => removeLoadBalancer(loadBalancerFolder(context.machines, inputs)),
    changes: true,
  },
  MachineImages: {},
  Releases: {},
  Archives: {},
  Evidence: {},
  Ledger: {},
};

/** The things that a provider needs of whoever serves it. */
export interface ProviderSetting {
  context(): ProviderContext;
  /** takes an operation's error as it was thrown, before Pulumi turns it into text */
  onError?(error: unknown): void;
  /** what was really declared; absent: that cannot be known here */
  readonly declared?: DeclaredResources;
  /** the lock of the environment whose resources these are; absent: nothing is locked */
  readonly lock?: Pick<HeldLock, 'check'> | undefined;
}

/**
 * Returns Lockage's own Pulumi provider: what a Docker plugin cannot do. Pulumi's engine takes resources from whoever finds
 * its port, and hands them on: so only what was declared is checked, made or changed, and none of it is removed.
 */
export function createProvider({ context, onError, declared, lock }: ProviderSetting): pulumi.provider.Provider {
  const { refuseForeign, refuseDeclared } = refusals(declared);
  const run = runner(onError, lock);
  return {
    version: lockageVersion,
    schema: JSON.stringify({ name: providerName, version: lockageVersion, resources: {} }),
    check: (urn, olds, news) =>
      run(async () => {
        refuseForeign(urn, news, 'sealed' in (olds as object));
        return { inputs: acceptedInputs(olds as object, news as object) };
      }),
    diff: (_id, _urn, olds, news) => run(async () => ({ changes: changed(olds, news) })),
    create: (urn, inputs) =>
      run(async () => {
        refuseForeign(urn, inputs, false);
        await actorOf(urn, context()).apply?.(context(), unpacked(inputs) as never);
        failpoint(`after:${typeOf(urn).toLowerCase()}`);
        return { id: nameOf(urn), outs: inputs as unknown };
      }),
    update: (_id, urn, olds, news) =>
      run(async () => {
        refuseForeign(urn, news, true);
        // A container's name follows from its content: what changed is how its host is reached, or it is made again.
        const kind = actorOf(urn, context());
        if (!kind.remove || kind.changes || isMadeAgain(olds, news))
          await kind.apply?.(context(), unpacked(news) as never);
        failpoint(`after:${typeOf(urn).toLowerCase()}`);
        return { outs: { ...(olds as object), ...(news as object) } };
      }),
    delete: (_id, urn, props) =>
      run(async () => {
        refuseDeclared(urn);
        await actorOf(urn, context()).remove?.(context(), unpacked(props) as never);
      }),
    read: async (id, _urn, props) => ({ id, props: props as unknown }),
  };
}

/** Returns a function that works while the lock is held, and tells of errors. */
function runner(onError: ProviderSetting['onError'], lock: ProviderSetting['lock']) {
  return async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      await lock?.check();
      const result = await work();
      // Pulumi records what it hears. Whoever has slept meanwhile must not let it write over another one's state.
      await lock?.check();
      return result;
    } catch (error) {
      onError?.(error);
      throw error;
    }
  };
}

/** Returns the refusals of messages that are not what was really declared. */
function refusals(declared: DeclaredResources | undefined) {
  return {
    refuseForeign(urn: string, given: unknown, isRecorded: boolean): void {
      if (!declared || declared.has(resourceOf(urn), asDeclared(given, isRecorded))) return;
      throw new LockageError(`${typeOf(urn)} ${nameOf(urn)} is not what the program declares`, { hint: somebodyElse });
    },
    /** Refuses the removal of what is declared: nothing that does something when it is removed is ever replaced. */
    refuseDeclared(urn: string): void {
      if (!kindOf(urn).remove || !declared?.hasName(resourceOf(urn))) return;
      throw new LockageError(`${typeOf(urn)} ${nameOf(urn)} is declared, and stays`, { hint: somebodyElse });
    },
  };
}

const somebodyElse = 'Somebody else on this computer spoke to Pulumi: find out who, then run the same command again.';

/** Returns the inputs as they count. What is recorded of a secret already stays, whatever the program knows of it. */
function asDeclared(given: unknown, isRecorded: boolean): object {
  const { sealed, ...known } = given as { sealed?: unknown };
  if (sealed === undefined || isRecorded) return known;
  // Pulumi sends a secret as an object with a mark and the value.
  return { ...known, sealed: isObject(sealed) && 'value' in sealed ? sealed.value : sealed };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/**
 * Returns whether inputs differ in what a resource is. How a container was made says nothing of that. What acts in an
 * operation differs by the operation's name alone; of the same one, it is as it was.
 */
function changed(olds: unknown, news: unknown): boolean {
  const [before, after] = [olds, news].map((value) => (unpacked(value) as { operation?: string }).operation);
  if (before !== undefined && after !== undefined) return before !== after;
  if (isMadeAgain(olds, news)) return true;
  const relevant = (value: unknown): object => {
    const { __provider: _, rests: __, again: ___, ...rest } = unpacked(value) as Record<string, unknown>;
    return rest;
  };
  return canonicalJson(relevant(olds)) !== canonicalJson(relevant(news));
}

/** Returns whether another operation asks for what is recorded, and may not be there. */
function isMadeAgain(olds: unknown, news: unknown): boolean {
  const [before, after] = [olds, news].map((value) => (unpacked(value) as { again?: string }).again);
  return after !== undefined && after !== before;
}

/** Returns what a resource does now: where all is there already, only the claim of the hosts does anything. */
function actorOf(urn: string, { adopts }: ProviderContext): Kind {
  const kind = kindOf(urn);
  return adopts && !kind.claims ? {} : kind;
}

function kindOf(urn: string): Kind {
  const kind = kinds[typeOf(urn)];
  if (!kind) throw new Error(`unknown resource type in ${urn}`);
  return kind;
}

function resourceOf(urn: string): ResourceName {
  return { type: typeOf(urn), name: nameOf(urn) };
}

function typeOf(urn: string): string {
  return urn.split('::')[2]?.split('$').pop()?.split(':')[2] ?? '';
}

function nameOf(urn: string): string {
  return urn.split('::')[3] ?? urn;
}
