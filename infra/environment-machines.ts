import { hostname } from 'node:os';
import { fingerprint } from '../pipelines/container.ts';
import type { Environment, Host, MachineSet, Project } from '../pipelines/environment.ts';
import { ExitCode, LockageError, NotStartedError } from '../pipelines/errors.ts';
import type { Machines } from '../pipelines/ports.ts';
import { ensureBridge, removeOwnBridge, subnetOf } from './machines/bridge.ts';
import { shownContents } from './machines/contents.ts';
import { forgetKeys, hostKey } from './machines/keys.ts';
import { forgetLogs } from './machines/logs.ts';
import {
  ensureMachine,
  hostOf,
  imageFor,
  machinesHere,
  machineState,
  removeMachine,
  type MachineState,
} from './machines/machines.ts';
import { freeSubnet } from './machines/network.ts';
import type { MachineInputs, MachineNetworkInputs } from './provider/types.ts';
import type { MachinesRecord, StackRecords } from './records.ts';
import type { Stacks } from './stack.ts';
import { machinesStack } from './stack-names.ts';
import { workshopOf, type Tools } from './workshop.ts';

interface Parts {
  /** as it is configured: the machines have no addresses in it */
  readonly project: Project;
  readonly tools: Tools;
  readonly records: StackRecords;
  readonly stacks: () => Promise<Stacks>;
  /** told the project with the addresses of its machines, as often as they change */
  readonly onChange: (project: Project) => void;
}

/** The first number of machines in their network. */
const firstNumber = 11;

/** The machines that environments own, each environment's as a Pulumi stack of its own. */
export class EnvironmentMachines implements Machines {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Reads the addresses of all machines from the record. */
  async locate(): Promise<void> {
    const { project, records, tools, onChange } = this.#parts;
    const environments = await Promise.all(
      project.environments.map(async (environment) => {
        if (!environment.machines) return environment;
        const recorded = (await records.machines(environment.name))?.machines ?? [];
        const located = new Map(recorded.map((machine) => [machine.host, hostOf(tools.machines, machine)]));
        return { ...environment, hosts: environment.hosts.map((host) => located.get(host.name) ?? host) };
      }),
    );
    onChange({ ...project, environments });
  }

  async notes(environment: Environment): Promise<readonly string[]> {
    const { machines } = environment;
    if (!machines) return [];
    const recorded = await this.#parts.records.machines(environment.name);
    const own = this.#wantedOf(environment, recorded);
    refuseElsewhere(environment.name, recorded);
    for (const machine of own) refuseOtherwise(environment.name, machine, this.#settings(machines));
    const states = await this.#states(own);
    const missing = environment.hosts.filter(({ name }) => !own.some(({ host }) => host === name));
    return [
      ...note([...missing.map(({ name }) => name), ...inState(own, states, 'absent')], 'made'),
      ...note(inState(own, states, 'stopped'), 'started'),
    ];
  }

  async make(environment: Environment): Promise<void> {
    const { machines: set } = environment;
    if (!set) return;
    refuseWithoutRoot();
    const { records, tools } = this.#parts;
    const recorded = await records.machines(environment.name);
    const network = recorded?.network ?? (await this.#newNetwork(environment.name));
    tools.progress({ host: environment.name, step: 'image', detail: 'the root file system of its machines' });
    const machines = await this.#inputs(environment, set, network, recorded);
    const leaving = (recorded?.machines ?? []).filter(({ name }) => !machines.some((each) => each.name === name));
    await this.#up(environment.name, network, [...machines, ...leaving], recorded === undefined);
    // Pulumi does nothing for what is recorded: a machine that was stopped, or lost, is brought back here.
    const workshop = workshopOf(tools, true);
    await ensureBridge(network);
    await Promise.all(machines.map((machine) => ensureMachine(workshop, machine)));
    await this.locate();
  }

  async removeOthers(environment: Environment): Promise<void> {
    const recorded = await this.#parts.records.machines(environment.name);
    if (!recorded?.network) return;
    const kept = this.#wantedOf(environment, recorded);
    if (kept.length === recorded.machines.length) return;
    refuseDataLoss(
      environment,
      recorded.machines.filter((machine) => !kept.includes(machine)),
    );
    if (kept.length === 0) return this.destroy(environment.name);
    for (const machine of recorded.machines) if (!kept.includes(machine)) await this.#letGo(machine);
    await this.#up(environment.name, recorded.network, kept, false);
    await this.locate();
  }

  /** What an environment has: recorded, or left here by a run that was killed. */
  async present(environment: string): Promise<{ readonly recorded: boolean; readonly names: readonly string[] }> {
    const { project, records, tools } = this.#parts;
    const recorded = await records.machines(environment);
    const here = await machinesHere(tools.machines, { app: project.app, environment });
    const names = new Set([...(recorded?.machines ?? []).map(({ name }) => name), ...here]);
    return { recorded: recorded !== undefined, names: [...names].sort() };
  }

  /** Removes all machines of an environment with all that is on them, their network, keys and record. */
  async destroy(environment: string): Promise<void> {
    const { project, tools } = this.#parts;
    await this.#removeAll(environment);
    await forgetLogs(tools.machines, { app: project.app, environment });
  }

  async #removeAll(environment: string): Promise<void> {
    const { project, records, tools } = this.#parts;
    const recorded = await records.machines(environment);
    refuseElsewhere(environment, recorded);
    await Promise.all((recorded?.machines ?? []).map((machine) => this.#letGo(machine)));
    if (recorded) await (await this.#parts.stacks()).destroy(machinesStack(environment), workshopOf(tools, false));
    const place = { app: project.app, environment };
    for (const name of await machinesHere(tools.machines, place)) {
      await removeMachine(tools.machines, { ...place, name });
    }
    const bridge = this.#bridge(environment);
    const subnet = (await subnetOf(bridge)) ?? '';
    await removeOwnBridge(recorded?.network ?? { ...place, bridge, subnet, computer: hostname() });
    await forgetKeys(tools.machines.keys, environment);
  }

  async #up(
    environment: string,
    network: MachineNetworkInputs,
    machines: readonly MachineInputs[],
    first: boolean,
  ): Promise<void> {
    const [stacks, { machineProgram }] = await Promise.all([this.#parts.stacks(), import('./machine-program.ts')]);
    const stack = machinesStack(environment);
    try {
      await stacks.up(stack, machineProgram(network, machines), workshopOf(this.#parts.tools, true), {
        message: 'machines',
      });
    } catch (error) {
      if (error instanceof NotStartedError) throw error;
      // Machines that could not be made at first leave nothing.
      if (first) await this.#removeAll(environment);
      throw new LockageError(`the machines of ${environment} could not be made`, {
        code: ExitCode.rolledBack,
        details: [messageOf(error), ...(error instanceof LockageError ? error.details : [])],
        ...(first ? {} : { hint: 'Those that were there before are as they were. Run the same command again.' }),
        cause: error,
      });
    }
  }

  /** An ssh connection would outlive its machine. */
  async #letGo(machine: MachineInputs): Promise<void> {
    const { connections, machines } = this.#parts.tools;
    await connections.link(hostOf(machines, machine)).disconnect();
  }

  async #newNetwork(environment: string): Promise<MachineNetworkInputs> {
    const bridge = this.#bridge(environment);
    // A run that was killed may have made one that is not recorded.
    const subnet = (await subnetOf(bridge)) ?? (await freeSubnet());
    return { app: this.#parts.project.app, environment, bridge, subnet, computer: hostname() };
  }

  /** A network device's name has fifteen characters at most. */
  #bridge(environment: string): string {
    const { project, tools } = this.#parts;
    return `lk${fingerprint({ app: project.app, environment, folder: tools.machines.machines })}`;
  }

  #wantedOf(environment: Environment, recorded: MachinesRecord | undefined): MachineInputs[] {
    if (!environment.machines) return [];
    return (recorded?.machines ?? []).filter(({ host }) => environment.hosts.some(({ name }) => name === host));
  }

  #settings({ kind, memory, cpus, disk }: MachineSet) {
    const { insecureRegistries } = this.#parts.project;
    return { kind, memory, cpus, ...(disk === undefined ? {} : { disk }), insecureRegistries };
  }

  async #inputs(
    environment: Environment,
    set: MachineSet,
    network: MachineNetworkInputs,
    recorded: MachinesRecord | undefined,
  ): Promise<MachineInputs[]> {
    const { tools } = this.#parts;
    const image = await imageFor(tools.machines, set.kind, recorded?.machines[0]?.image);
    if (image.contents) {
      tools.progress({ host: environment.name, step: 'image', detail: shownContents(image.contents) });
    }
    const input = async ({ name: host }: Host, index: number): Promise<MachineInputs> => ({
      ...network,
      ...this.#settings(set),
      host,
      name: machineName(network.app, environment.name, index + 1),
      image: recorded?.machines.find((machine) => machine.host === host)?.image ?? image.digest,
      address: `${network.subnet}.${firstNumber + index}`,
      hostKey: (await hostKey(tools.machines.keys, environment.name, host)).fingerprint,
    });
    return Promise.all(environment.hosts.map(input));
  }

  #states(machines: readonly MachineInputs[]): Promise<MachineState[]> {
    return Promise.all(machines.map((machine) => machineState(this.#parts.tools.machines, machine)));
  }
}

function machineName(app: string, environment: string, number: number): string {
  return `${app}-${environment}-machine-${number}`;
}

function inState(machines: readonly MachineInputs[], states: readonly MachineState[], wanted: MachineState): string[] {
  return machines.filter((_, index) => states[index] === wanted).map(({ host }) => host);
}

function note(hosts: readonly string[], what: string): string[] {
  if (hosts.length === 0) return [];
  const many = hosts.length === 1 ? '1 machine is' : `${hosts.length} machines are`;
  return [`${many} ${what} first: ${hosts.join(', ')}`];
}

/** Other machines would need the containers moved off these first, which destroying them at once does not do. */
function refuseOtherwise(environment: string, machine: MachineInputs, wanted: Partial<MachineInputs>): void {
  const differing = Object.entries(wanted).filter(
    ([key, value]) => JSON.stringify(value) !== JSON.stringify(machine[key as keyof MachineInputs]),
  );
  if (differing.length === 0) return;
  throw new LockageError(`the machines of ${environment} were made otherwise than they are configured now`, {
    details: differing.map(
      ([key, value]) =>
        `${key}: ${JSON.stringify(machine[key as keyof MachineInputs])}, configured ${JSON.stringify(value)}`,
    ),
    hint: `A machine is never changed: configure it as before, or \`lockage destroy ${environment}\` and promote again.`,
  });
}

/** Data of an accessory that moved stays where it was: nobody said that it may go. */
function refuseDataLoss({ name, accessories }: Environment, leaving: readonly MachineInputs[]): void {
  if (!accessories.some(({ volumes }) => Object.keys(volumes).length > 0)) return;
  throw new LockageError(
    `${leaving.map((machine) => machine.name).join(', ')}: no longer configured, but may hold data of an accessory`,
    { hint: `Copy it elsewhere; \`lockage destroy ${name} --volumes\` with the machines configured removes it.` },
  );
}

function refuseElsewhere(environment: string, recorded: MachinesRecord | undefined): void {
  const computer = recorded?.network?.computer;
  if (computer === undefined || computer === hostname()) return;
  throw new LockageError(`the machines of ${environment} are on ${computer}, and this is ${hostname()}`, {
    hint: `Run the command on ${computer}: machines are reached from there only.`,
  });
}

function refuseWithoutRoot(): void {
  if (process.platform === 'linux' && process.getuid?.() === 0) return;
  throw new LockageError('machines can be made by root on Linux only', {
    hint: 'Run the command with sudo, or name hosts that are there already as targets.',
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
