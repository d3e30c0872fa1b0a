import { setTimeout as sleep } from 'node:timers/promises';
import { LockageError, WorkloadFailedError } from '../../../pipelines/errors.ts';
import type { Swarm } from '../../../pipelines/model/target.ts';
import { edgeOf, partKey, type ProviderContext } from '../../context/provider-context.ts';
import { bytesOf } from '../../context/secret-bytes.ts';
import type { Engine } from '../../docker/api/client.ts';
import type { ServiceDetails, SwarmTask } from '../../docker/api/types.ts';
import { isOwnedBy, labels } from '../../docker/labels.ts';
import type { ContainerInputs } from '../../resources/inputs.ts';
import { lastLinesOf } from '../last-lines.ts';
import { workloadError } from '../workload-error.ts';
import type { ProbeOptions, Workload, Probe } from '../workload.ts';
import { endedOn } from './removal.ts';
import { askedLabel, secretName, serviceSpec } from './service-spec.ts';
import { serviceState } from './service-state.ts';

/** Milliseconds for all nodes to pull the image and start their containers. */
const startTimeout = 600_000;
/** Milliseconds for the swarm to find nodes for all of them. */
const placementTimeout = 30_000;

const ended = new Set(['complete', 'failed', 'rejected', 'orphaned']);

/** A workload of a release, and the swarm that it runs on. */
type ServiceInputs = ContainerInputs & { readonly host: Swarm };

/** A role of a release on a swarm: one service, whose containers Swarm places. It is created once and never changed. */
export class ServiceWorkload implements Workload {
  readonly #context: ProviderContext;
  readonly #inputs: ServiceInputs;

  constructor(context: ProviderContext, inputs: ServiceInputs) {
    this.#context = context;
    this.#inputs = inputs;
  }

  async create(): Promise<void> {
    const { host, spec, rests } = this.#inputs;
    const engine = await this.#engine();
    if (await this.#leftover(engine)) return;
    const auth = await this.#context.registryAuth(spec.image.split('@')[0] ?? spec.image);
    const asked = serviceSpec(this.#inputs, spec, await this.#deliverSecrets(engine));
    const resting = { ...asked, Mode: { Replicated: { Replicas: 0 } } };
    await this.#context.checkLock();
    await engine.createService(rests ? resting : asked, auth === undefined ? {} : { auth });
    try {
      if (!rests) await this.#started(engine);
    } catch (error) {
      await this.remove();
      throw error;
    }
    this.#context.progress({ host: host.name, step: rests ? 'standby' : 'start', detail: spec.name });
  }

  async remove(): Promise<void> {
    const { host, spec } = this.#inputs;
    const engine = await this.#engine();
    const service = await this.#find(engine);
    if (service && service.Spec.Labels[labels.app] === this.#inputs.app) {
      await this.#context.checkLock();
      // The nodes end its containers by themselves: nothing has to wait for that, not even the swarm's own update.
      await engine.removeService(service.ID);
      this.#context.progress({ host: host.name, step: 'remove', detail: spec.name });
    }
    // A secret that another service uses stays, and is removed with the last of them.
    for (const [name, version] of Object.entries(spec.secrets)) {
      await engine.removeSecret(secretName(this.#inputs, name, version));
    }
  }

  async start(): Promise<void> {
    const engine = await this.#engine();
    const service = await this.#find(engine);
    const earlier = (await this.#tasks(engine)).filter(({ ServiceID }) => ServiceID === service?.ID);
    await this.#scale(this.#inputs.spec.replicas ?? 1);
    await this.#started(engine, new Set(earlier.map(({ ID }) => ID)));
  }

  async stop(): Promise<void> {
    const engine = await this.#engine();
    await this.#scale(0);
    const service = await this.#find(engine);
    if (service) await endedOn(engine, service, this.#inputs.spec.stopGrace);
  }

  async enableRestart(): Promise<void> {
    // Its restart policy is the same from the beginning: see serviceSpec.
  }

  async instanceId(): Promise<string | undefined> {
    const engine = await this.#engine();
    const [service, tasks] = await Promise.all([this.#find(engine), this.#tasks(engine)]);
    const found = service && serviceState(service, tasks);
    return found?.word === 'running' ? found.tasks.join() : undefined;
  }

  /**
   * Checks the health of every container from every edge, over the path of the traffic. A command is run by the
   * engines of the nodes.
   */
  async healthy(rounds: Probe, asking: ProbeOptions): Promise<boolean> {
    const { host, spec } = this.#inputs;
    const { check } = spec.health;
    if (check.kind !== 'http') return true;
    const engine = await this.#engine();
    const [service, tasks] = await Promise.all([this.#find(engine), this.#tasks(engine)]);
    const addresses = tasks.filter((task) => runs(task, service)).flatMap(addressOf);
    const probes = host.managers.map(async (manager) => {
      const edge = await edgeOf(this.#context, this.#inputs, manager);
      return edge.probeAll(addresses, check, rounds, {
        ...asking,
        onAnswer: (address, answer) => asking.onAnswer?.(`${manager.name} from ${address}: ${answer}`),
      });
    });
    return addresses.length > 0 && (await Promise.all(probes)).every(Boolean);
  }

  async diagnosis(): Promise<string> {
    const engine = await this.#engine();
    const [service, tasks] = await Promise.all([this.#find(engine), this.#tasks(engine)]);
    if (!service) return ' (its service is gone)';
    const { word } = serviceState(service, tasks);
    const errors = tasks
      .filter(({ ServiceID, Status }) => ServiceID === service.ID && Status.Err)
      .map(({ Status }) => Status.Err ?? '');
    const problems = [...(word === 'running' ? [] : [word]), ...new Set(errors)];
    return problems.length === 0 ? '' : ` (${problems.join('; ')})`;
  }

  /** Reads the last lines of a service. A lost node never sends its lines. */
  async lastLines(count: number, signal: AbortSignal): Promise<string[]> {
    const output = (await this.#engine()).serviceLogs(this.#inputs.spec.name, { tail: count, signal });
    return lastLinesOf(output, count, (text) => this.#context.mask(text));
  }

  #engine(): Promise<Engine> {
    return this.#context.engine(this.#inputs.host);
  }

  #find(engine: Engine): Promise<ServiceDetails | undefined> {
    return engine.inspectService(this.#inputs.spec.name);
  }

  #tasks(engine: Engine): Promise<SwarmTask[]> {
    return engine.tasksOf(this.#inputs.spec.name);
  }

  /** Returns whether a service of an interrupted run is what is wanted; removes one of ours that is not. */
  async #leftover(engine: Engine): Promise<boolean> {
    const { app, host, spec, rests } = this.#inputs;
    const found = await this.#find(engine);
    if (!found) return false;
    const { Labels } = found.Spec;
    const isReplaced = this.#context.replaced?.has(partKey(host, spec.name)) ?? false;
    if (!isOwnedBy(Labels, this.#inputs)) {
      throw new LockageError(`${host.name}: a service named ${spec.name} exists and is not of ${app}`, {
        hint: 'Remove it (`docker service rm`), then run the same command again.',
      });
    }
    const asked = serviceSpec(this.#inputs, spec).Labels[askedLabel];
    const tasks = (await this.#tasks(engine)).filter(({ ServiceID }) => ServiceID === found.ID);
    const isSound = tasks.every(({ Status }) => !ended.has(Status.State));
    const isLeft = !isReplaced && Labels[askedLabel] === asked && isSound;
    if (isLeft && ((rests && serviceState(found, tasks).word === 'resting') || (await this.#comesUp(engine))))
      return true;
    await this.remove();
    return false;
  }

  async #comesUp(engine: Engine): Promise<boolean> {
    try {
      await this.#started(engine);
      return true;
    } catch (error) {
      if (error instanceof WorkloadFailedError) return false;
      throw error;
    }
  }

  async #deliverSecrets(engine: Engine): Promise<Record<string, string>> {
    const ids: Record<string, string> = {};
    for (const [name, version] of Object.entries(this.#inputs.spec.secrets)) {
      const value = bytesOf(this.#context.secrets.get(name, version));
      const own = { [labels.app]: this.#inputs.app, [labels.environment]: this.#inputs.environment };
      ids[name] = await engine.ensureSecret(secretName(this.#inputs, name, version), value, own);
    }
    return ids;
  }

  async #scale(replicas: number): Promise<void> {
    const engine = await this.#engine();
    const found = await this.#find(engine);
    if (!found) throw new LockageError(`the swarm has no service ${this.#inputs.spec.name} any more`);
    if (found.Spec.Mode.Replicated?.Replicas === replicas) return;
    const changed = { ...found.Spec, Mode: { Replicated: { Replicas: replicas } } };
    await this.#context.checkLock();
    await engine.updateService(found.ID, found.Version.Index, changed);
  }

  /**
   * Waits until all its containers run. Throws as soon as one has ended, except for `earlier` ones, or cannot be
   * placed.
   */
  async #started(engine: Engine, earlier: ReadonlySet<string> = new Set()): Promise<void> {
    const begun = performance.now();
    const fail = async (why: string) => workloadError(this, this.#inputs, why);
    for (;;) {
      this.#context.signal.throwIfAborted();
      const [service, all] = await Promise.all([this.#find(engine), this.#tasks(engine)]);
      if (!service) throw await fail('is not there any more');
      const { word } = serviceState(service, all);
      if (word === 'running') return;
      const tasks = all.filter(({ ID, ServiceID }) => ServiceID === service.ID && !earlier.has(ID));
      if (tasks.some(({ Status }) => ended.has(Status.State))) throw await fail('does not start');
      if (word.includes('by hand')) throw await fail('was changed while it started');
      const waited = performance.now() - begun;
      const unplaced = tasks.some(({ Status }) => Status.State === 'pending');
      if ((unplaced && waited > placementTimeout) || waited > startTimeout) {
        throw await fail(`did not start within ${Math.round(waited / 1000)} s`);
      }
      await sleep(100, undefined, { signal: this.#context.signal });
    }
  }
}

function runs(task: SwarmTask, service: ServiceDetails | undefined): boolean {
  return task.ServiceID === service?.ID && task.DesiredState === 'running' && task.Status.State === 'running';
}

function addressOf(task: SwarmTask): string[] {
  const address = task.NetworksAttachments?.[0]?.Addresses?.[0]?.split('/')[0];
  return address === undefined ? [] : [address];
}
