import type { LoadBalancerView } from '../../../pipelines/inspection/observation.ts';
import type { Environment, Project } from '../../../pipelines/model/environment.ts';
import { currentRevision, existingContainers } from '../../../pipelines/model/ledger.ts';
import type { MachineImage } from '../../../pipelines/model/machine-image.ts';
import type { MachineSet } from '../../../pipelines/model/target.ts';
import type { Machines, MachinesPresent, StartedMachine } from '../../../pipelines/operations/ports/machines.ts';
import { hostOf, machinesHere } from '../../machines/machine.ts';
import { withAddresses } from './addresses.ts';
import { forgetUnlessNeeded, startAtBoot } from './boot.ts';
import { withMachinesLock, type Dependencies } from './dependencies.ts';
import { ensureMachines } from './ensure.ts';
import { areHere } from './here.ts';
import { buildAndRecord } from './images.ts';
import { loadBalancerView } from './load-balancer.ts';
import { pointLoadBalancer, reconcileMachines } from './reconcile.ts';
import { refuseWithoutRoot } from './refusals.ts';
import { refuseRemoval, removeForGood } from './remove.ts';
import { startMachines } from './start.ts';
import { needsReplacement, pendingChanges } from './state.ts';

/** The machines that environments own, each environment's as a Pulumi stack of its own. */
export class MachinesAdapter implements Machines {
  readonly #dependencies: Dependencies;

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
  }

  /** Returns the project with the addresses of its machines as they are recorded now. */
  async locate(): Promise<Project> {
    const { project } = this.#dependencies;
    const environments = project.environments.map((environment) => withAddresses(this.#dependencies, environment));
    return { ...project, environments: await Promise.all(environments) };
  }

  needsReplacement(environment: Environment, image: string): Promise<boolean> {
    return needsReplacement(this.#dependencies, environment, image);
  }

  pendingChanges(environment: Environment): Promise<readonly string[]> {
    return pendingChanges(this.#dependencies, environment);
  }

  async ensure(environment: Environment, image?: string): Promise<Environment> {
    const { machines, name } = environment;
    if (!machines) return environment;
    refuseWithoutRoot();
    const work = () => ensureMachines(this.#dependencies, { ...environment, machines }, image);
    const made = await withMachinesLock(this.#dependencies, name, work);
    await startAtBoot(this.#dependencies);
    return made;
  }

  start(environment: string): Promise<readonly StartedMachine[]> {
    return withMachinesLock(this.#dependencies, environment, () => startMachines(this.#dependencies, environment));
  }

  routeTo(environment: Environment): Promise<boolean> {
    return pointLoadBalancer(this.#dependencies, environment);
  }

  async reconcile(name: string): Promise<void> {
    const { project, records } = this.#dependencies;
    const configured = project.environments.find((environment) => environment.name === name);
    if (!configured || !(await records.machines(name))?.network) return;
    await withMachinesLock(this.#dependencies, name, () => reconcileMachines(this.#dependencies, configured));
  }

  async present(environment: string): Promise<MachinesPresent> {
    const { project, records, session } = this.#dependencies;
    const recorded = await records.machines(environment);
    const here = await machinesHere(session.machines, { app: project.app, environment });
    const names = new Set([...(recorded?.machines ?? []).map(({ name }) => name), ...here]);
    const urls = (recorded?.machines ?? []).map((machine) => hostOf(session.machines, machine).endpoint.url);
    return { recorded: recorded !== undefined, names: [...names].sort(), urls };
  }

  async destroy(environment: string, begin: () => Promise<void>): Promise<void> {
    const work = async () => {
      await refuseRemoval(this.#dependencies, environment);
      await begin();
      await removeForGood(this.#dependencies, environment);
    };
    await withMachinesLock(this.#dependencies, environment, work);
    await forgetUnlessNeeded(this.#dependencies);
  }

  /** Returns the load balancer of an environment's machines, as it is now; undefined where there is none here. */
  async loadBalancer(environment: Environment): Promise<LoadBalancerView | undefined> {
    const { records, session } = this.#dependencies;
    const recorded = await records.machines(environment.name);
    if (!recorded?.loadBalancer || !(await areHere(this.#dependencies, environment.name, recorded))) return undefined;
    const record = await records.environment(environment.name);
    const current = currentRevision(record.ledger);
    const serving = current ? existingContainers(record, current) : [];
    return loadBalancerView(session.machines, recorded.loadBalancer, serving);
  }

  async build(version: string, kind: MachineSet['kind']): Promise<MachineImage> {
    // An image is kept in root's folder, where machines are made from it.
    refuseWithoutRoot();
    return buildAndRecord(this.#dependencies, version, kind);
  }
}
