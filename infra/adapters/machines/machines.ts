import { hostname } from 'node:os';
import type { Environment, Project } from '../../../pipelines/model/environment.ts';
import { inPool, otherPool, type MachinePool } from '../../../pipelines/model/machine-pool.ts';
import type { MachineImage } from '../../../pipelines/model/machine-image.ts';
import { ExitCode, LockageError, NotStartedError, messageOf } from '../../../pipelines/errors.ts';
import type { Machines } from '../../../pipelines/operations/ports.ts';
import { currentRevision } from '../../../pipelines/model/ledger.ts';
import {
  loadBalancerNotes,
  loadBalancerOf,
  loadBalancerView,
  refuseForeignAddress,
  backendsOf,
} from './load-balancer.ts';
import { withMachineLock } from '../../machines/machine-lock.ts';
import { poolOf, withAddresses } from './addresses.ts';
import { buildImages, newestOrToday } from './images.ts';
import { machineInputs, settingsOf } from './inputs.ts';
import {
  differing,
  otherKeys,
  refuseDataLoss,
  refuseElsewhere,
  refuseOtherwise,
  refuseWithoutRoot,
} from './refusals.ts';
import { ensureBridge, removeOwnBridge, subnetOf } from '../../machines/bridge.ts';
import { forgetKeys } from '../../machines/keys.ts';
import { forgetLogs } from '../../machines/logs.ts';
import {
  ensureMachine,
  hostOf,
  madeFrom,
  machinesHere,
  machineState,
  removeMachine,
  type MachineState,
} from '../../machines/machine.ts';
import {
  loadBalancerFolder,
  loadBalancerState,
  ensureLoadBalancer,
  setBackends,
  removeLoadBalancer,
} from '../../machines/load-balancer/load-balancer.ts';
import { freeSubnet } from '../../machines/network.ts';
import type { LoadBalancerInputs, MachineInputs, MachineNetworkInputs } from '../../resources/inputs.ts';
import type { MachinesRecord, RecordsAdapter } from '../records.ts';
import type { PulumiStacks } from '../../pulumi/stacks.ts';
import { foundationStack, machinesStack } from '../../pulumi/stack-names.ts';
import { providerContext, type Session } from '../../context/session.ts';
import type { LoadBalancerView } from '../../../pipelines/inspection/observation.ts';
import { fingerprint } from '../../../pipelines/model/fingerprint.ts';
import type { MachineSet } from '../../../pipelines/model/target.ts';
import { machinesBefore } from '../../../pipelines/policy/machine-image-gates.ts';

interface Dependencies {
  /** as it is configured: the machines have no addresses in it */
  readonly project: Project;
  readonly session: Session;
  /** `user@machine` */
  readonly actor: string;
  readonly records: RecordsAdapter;
  readonly stacks: () => Promise<PulumiStacks>;
  /** told the project with the addresses of its machines, as often as they change */
  readonly onChange: (project: Project) => void;
}

/** What the stack of an environment's machines is to have. */
interface Wanted {
  readonly network: MachineNetworkInputs;
  readonly machines: readonly MachineInputs[];
  readonly loadBalancer: LoadBalancerInputs | undefined;
  /** the machines that were recorded */
  readonly before: readonly MachineInputs[];
  /** whether the operator may end it early; going back may not end so */
  readonly stoppable: boolean;
}

/** The machines that environments own, each environment's as a Pulumi stack of its own. */
export class MachinesAdapter implements Machines {
  readonly #dependencies: Dependencies;

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
  }

  async locate(taking: Readonly<Record<string, MachinePool>> = {}): Promise<void> {
    const { project, onChange } = this.#dependencies;
    const environments = project.environments.map((environment) =>
      withAddresses(this.#dependencies, environment, taking[environment.name]),
    );
    onChange({ ...project, environments: await Promise.all(environments) });
  }

  async needsReplacement(environment: Environment, image: string): Promise<boolean> {
    refuseWithoutRoot();
    const recorded = await this.#dependencies.records.machines(environment.name);
    refuseElsewhere(environment.name, recorded);
    const own = this.#wantedOf(environment, recorded);
    if (!environment.machines || own.length < environment.hosts.length) return true;
    const settings = { ...settingsOf(this.#dependencies.project, environment.machines), image };
    return own.some((machine) => differing(machine, settings).length > 0);
  }

  async pendingChanges(environment: Environment): Promise<readonly string[]> {
    const { machines } = environment;
    if (!machines) return [];
    const recorded = await this.#dependencies.records.machines(environment.name);
    const own = this.#wantedOf(environment, recorded);
    refuseElsewhere(environment.name, recorded);
    refuseForeignAddress(machines.address);
    for (const machine of own)
      refuseOtherwise(environment.name, machine, settingsOf(this.#dependencies.project, machines));
    const states = await this.#states(own);
    const missing = environment.hosts.filter(({ name }) => !own.some(({ host }) => host === name));
    return [
      ...note([...missing.map(({ name }) => name), ...inState(own, states, 'absent')], 'made'),
      ...note(inState(own, states, 'stopped'), 'started'),
      ...(own.length > 0 ? await this.#loadBalancerNotes(environment, recorded) : []),
    ];
  }

  async #loadBalancerNotes(environment: Environment, recorded: MachinesRecord | undefined): Promise<readonly string[]> {
    if (!recorded?.network) return [];
    const { records, session } = this.#dependencies;
    const { ledger } = await records.environment(environment.name);
    const place = { environment: environment.name };
    const wanted = loadBalancerOf(environment, recorded.network);
    return loadBalancerNotes(session.machines, place, wanted, backendsOf(environment, ledger));
  }

  async ensure(asked: Environment, image?: string): Promise<void> {
    const { machines: set, name } = asked;
    if (!set) return;
    refuseWithoutRoot();
    await this.#withLock(name, () => this.#make(asked, set, image));
  }

  async #make(asked: Environment, set: MachineSet, image?: string): Promise<void> {
    const { name } = asked;
    const { records, session } = this.#dependencies;
    const recorded = await records.machines(name);
    refuseElsewhere(name, recorded);
    const before = recorded?.machines ?? [];
    const now = await poolOf(this.#dependencies, name, before);
    const pool = image !== undefined && (await this.needsReplacement(asked, image)) ? otherPool(now) : now;
    const environment = inPool(asked, pool);
    const network = recorded?.network ?? (await this.#newNetwork(name));
    session.progress({ host: name, step: 'image', detail: 'the root file system of its machines' });
    const standing = new Set(await this.#standing(before));
    const loadBalancer = loadBalancerOf(asked, network);
    const digest = image ?? asked.machines?.image ?? (await this.#firstImage(environment, set));
    const machines = await machineInputs(this.#dependencies, environment, set, network, digest);
    const others = before.filter((machine) => !machines.some((each) => each.name === machine.name));
    // Gone with a restart of the computer, it would be missed by what is made new.
    if (recorded?.network) await ensureBridge(network);
    const left = before.filter((machine) =>
      machines.some((each) => each.name === machine.name && madeFrom(each) !== madeFrom(machine)),
    );
    if (left.length > 0) {
      if (pool === now && (await this.#serves(name))) throw otherKeys(name, left, machines, session.machines.keys);
      await this.#removeLeft(name, recorded, left);
    }
    await this.#up(name, {
      network,
      loadBalancer,
      before,
      machines: [...machines, ...others],
      stoppable: true,
    });
    // Pulumi does nothing for what is recorded: a machine that was stopped, or lost, is brought back here.
    const context = providerContext(session, true);
    await ensureBridge(network);
    await Promise.all(machines.map((machine) => ensureMachine(context, machine)));
    if (loadBalancer) await this.#keepLoadBalancer(asked, now, loadBalancer, standing);
    await this.locate({ [name]: pool });
  }

  /** The load balancer leads to those that serve: machines made just now wait until the release is in them. */
  async #keepLoadBalancer(
    asked: Environment,
    pool: MachinePool,
    loadBalancer: LoadBalancerInputs,
    standing: ReadonlySet<string>,
  ): Promise<void> {
    const { records, session } = this.#dependencies;
    const { ledger } = await records.environment(asked.name);
    const all = backendsOf(await withAddresses(this.#dependencies, asked, pool), ledger);
    const { servers } = await loadBalancerState(loadBalancerFolder(session.machines, loadBalancer));
    const serving = all.filter(({ name }) => standing.has(name) && servers.some((server) => server.name === name));
    if (serving.length === 0) return ensureLoadBalancer(session.machines, loadBalancer, all);
    await ensureLoadBalancer(session.machines, loadBalancer);
    // Those that leave answer what they have begun before anything is taken from them.
    await setBackends(session.machines, loadBalancer, serving);
  }

  /** Names of the hosts that are there, running or not. */
  async #standing(machines: readonly MachineInputs[]): Promise<string[]> {
    const states = await this.#states(machines);
    return machines.filter((_, index) => states[index] !== 'absent').map(({ host }) => host);
  }

  async routeTo(environment: Environment): Promise<void> {
    if (!environment.machines) return;
    const { records, session } = this.#dependencies;
    const { ledger } = await records.environment(environment.name);
    await setBackends(session.machines, { environment: environment.name }, backendsOf(environment, ledger));
  }

  /** The one address of an environment's machines, as it is now; undefined where there is none on this computer. */
  async front(environment: Environment): Promise<LoadBalancerView | undefined> {
    const recorded = await this.#dependencies.records.machines(environment.name);
    if (!recorded?.loadBalancer || recorded.network?.computer !== hostname()) return undefined;
    return loadBalancerView(this.#dependencies.session.machines, recorded.loadBalancer);
  }

  async #serves(environment: string): Promise<boolean> {
    return currentRevision((await this.#dependencies.records.environment(environment)).ledger) !== undefined;
  }

  /** Machines that were made to take over, and never did: others have their names now. */
  async #removeLeft(
    environment: string,
    recorded: MachinesRecord | undefined,
    left: readonly MachineInputs[],
  ): Promise<void> {
    if (!recorded?.network) return;
    await this.#forget(environment, left);
    const { network, loadBalancer } = recorded;
    const kept = recorded.machines.filter((machine) => !left.includes(machine));
    await this.#up(environment, { network, loadBalancer, machines: kept, before: kept, stoppable: true });
  }

  /** What the first machines are made from: the image of the environment before, else the newest, else one of today. */
  async #firstImage(environment: Environment, { kind }: MachineSet): Promise<string> {
    for (const earlier of machinesBefore(this.#dependencies.project, environment)) {
      const digest = (await withAddresses(this.#dependencies, earlier)).machines?.image;
      if (digest !== undefined) return digest;
    }
    return newestOrToday(this.#dependencies, kind);
  }

  /** Builds an image of today's packages for each of these kinds, and records them. Throws LockageError. */
  async build(version: string, kinds: readonly MachineSet['kind'][]): Promise<readonly MachineImage[]> {
    // An image lies where root's machines are made from.
    refuseWithoutRoot();
    return buildImages(this.#dependencies, version, kinds);
  }

  async reconcile(name: string): Promise<void> {
    const { project, records } = this.#dependencies;
    const configured = project.environments.find((environment) => environment.name === name);
    if (!configured || !(await records.machines(name))?.network) return;
    await this.#withLock(name, () => this.#settle(configured));
  }

  async #settle(configured: Environment): Promise<void> {
    const { name } = configured;
    const { records } = this.#dependencies;
    await this.locate();
    const recorded = await records.machines(name);
    if (!recorded?.network) return;
    const environment = await withAddresses(this.#dependencies, configured);
    await this.routeTo(environment);
    const { ledger } = await records.environment(name);
    const serving = new Set((currentRevision(ledger)?.containers ?? []).map(({ host }) => host));
    const stays = ({ host }: MachineInputs) =>
      environment.machines !== undefined && (serving.has(host) || environment.hosts.some((each) => each.name === host));
    await this.#removeUnrecorded(name, recorded);
    const leaving = recorded.machines.filter((machine) => !stays(machine));
    if (leaving.length === 0) return;
    refuseDataLoss(environment, leaving);
    await this.#forget(name, leaving);
    if (!environment.machines) return this.#removeAllForGood(name);
    const { network, loadBalancer } = recorded;
    const kept = recorded.machines.filter(stays);
    await this.#up(name, { network, loadBalancer, machines: kept, before: kept, stoppable: false });
    await this.locate();
  }

  /** A command that was killed while it made machines may have left some that run, and that no record knows. */
  async #removeUnrecorded(environment: string, { machines }: MachinesRecord): Promise<void> {
    const { project, session } = this.#dependencies;
    const place = { app: project.app, environment };
    const here = await machinesHere(session.machines, place);
    const unknown = here.filter((name) => !machines.some((machine) => machine.name === name));
    await Promise.all(unknown.map((name) => removeMachine(session.machines, { ...place, name })));
  }

  /** What is recorded of machines that go: nothing has to be removed from them, and they may be dead. */
  async #forget(environment: string, leaving: readonly MachineInputs[]): Promise<void> {
    const stacks = await this.#dependencies.stacks();
    const hosts = leaving.map(({ host }) => host);
    for (const stack of [environment, foundationStack(environment)]) await stacks.forgetHosts(stack, hosts);
    for (const machine of leaving) await this.#letGo(machine);
  }

  /** What an environment has: recorded, or left here by a run that was killed; and the URLs of its hosts. */
  async present(
    environment: string,
  ): Promise<{ readonly recorded: boolean; readonly names: readonly string[]; readonly urls: readonly string[] }> {
    const { project, records, session } = this.#dependencies;
    const recorded = await records.machines(environment);
    const here = await machinesHere(session.machines, { app: project.app, environment });
    const names = new Set([...(recorded?.machines ?? []).map(({ name }) => name), ...here]);
    const urls = (recorded?.machines ?? []).map((machine) => hostOf(session.machines, machine).url);
    return { recorded: recorded !== undefined, names: [...names].sort(), urls };
  }

  /** Removes all machines of an environment with all that is on them, their network, keys and record. */
  async destroy(environment: string): Promise<void> {
    await this.#withLock(environment, () => this.#removeAllForGood(environment));
  }

  /** Also what those said that did not come up. */
  async #removeAllForGood(environment: string): Promise<void> {
    const { project, session } = this.#dependencies;
    await this.#removeAll(environment);
    await forgetLogs(session.machines, { app: project.app, environment });
  }

  #withLock<T>(environment: string, work: () => Promise<T>): Promise<T> {
    const subject = { name: environment, what: `the machines of ${environment}` };
    return withMachineLock(this.#dependencies.session.machines, subject, work);
  }

  async #removeAll(environment: string): Promise<void> {
    const { project, records, session } = this.#dependencies;
    const recorded = await records.machines(environment);
    refuseElsewhere(environment, recorded);
    await Promise.all((recorded?.machines ?? []).map((machine) => this.#letGo(machine)));
    if (recorded)
      await (await this.#dependencies.stacks()).destroy(machinesStack(environment), providerContext(session, false));
    const place = { app: project.app, environment };
    for (const name of await machinesHere(session.machines, place)) {
      await removeMachine(session.machines, { ...place, name });
    }
    await removeLoadBalancer(loadBalancerFolder(session.machines, { environment }));
    const bridge = this.#bridge(environment);
    const subnet = (await subnetOf(bridge)) ?? '';
    await removeOwnBridge(recorded?.network ?? { ...place, bridge, subnet, computer: hostname() });
    await forgetKeys(session.machines.keys, environment);
  }

  async #up(environment: string, { network, machines, loadBalancer, before, stoppable }: Wanted): Promise<void> {
    const [stacks, { machineProgram }] = await Promise.all([
      this.#dependencies.stacks(),
      import('../../programs/machines.ts'),
    ]);
    const stack = machinesStack(environment);
    try {
      const context = providerContext(this.#dependencies.session, stoppable);
      await stacks.up(stack, machineProgram(network, machines, loadBalancer), context, { message: 'machines' });
    } catch (error) {
      if (error instanceof NotStartedError) throw error;
      // Machines that could not be made at first leave nothing.
      const left =
        before.length > 0
          ? []
          : await this.#removeAll(environment).then(
              () => [],
              (second) => [messageOf(second)],
            );
      throw new LockageError(`the machines of ${environment} could not be made`, {
        code: ExitCode.rolledBack,
        details: [messageOf(error), ...(error instanceof LockageError ? error.details : []), ...left],
        ...(before.length === 0
          ? {}
          : { hint: 'Those that were there before are as they were. Run the same command again.' }),
        cause: error,
      });
    }
  }

  /** An ssh connection would outlive its machine. */
  async #letGo(machine: MachineInputs): Promise<void> {
    const { connections, machines } = this.#dependencies.session;
    await connections.link(hostOf(machines, machine)).disconnect();
  }

  async #newNetwork(environment: string): Promise<MachineNetworkInputs> {
    const bridge = this.#bridge(environment);
    // A run that was killed may have made one that is not recorded.
    const subnet = (await subnetOf(bridge)) ?? (await freeSubnet());
    return { app: this.#dependencies.project.app, environment, bridge, subnet, computer: hostname() };
  }

  /** A network device's name has fifteen characters at most. */
  #bridge(environment: string): string {
    const { project, session } = this.#dependencies;
    return `lk${fingerprint({ app: project.app, environment, folder: session.machines.machines })}`;
  }

  #wantedOf(environment: Environment, recorded: MachinesRecord | undefined): MachineInputs[] {
    if (!environment.machines) return [];
    return (recorded?.machines ?? []).filter(({ host }) => environment.hosts.some(({ name }) => name === host));
  }

  #states(machines: readonly MachineInputs[]): Promise<MachineState[]> {
    return Promise.all(machines.map((machine) => machineState(this.#dependencies.session.machines, machine)));
  }
}

function inState(machines: readonly MachineInputs[], states: readonly MachineState[], wanted: MachineState): string[] {
  return machines.filter((_, index) => states[index] === wanted).map(({ host }) => host);
}

function note(hosts: readonly string[], what: string): string[] {
  if (hosts.length === 0) return [];
  const many = hosts.length === 1 ? '1 machine is' : `${hosts.length} machines are`;
  return [`${many} ${what} first: ${hosts.join(', ')}`];
}
