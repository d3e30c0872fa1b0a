import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { provider } from '@pulumi/pulumi';
import type { HeldLock } from '../../../infra/context/held-lock.ts';
import type { ProviderContext } from '../../../infra/context/provider-context.ts';
import type { Engine } from '../../../infra/docker/api/client.ts';
import { createProvider } from '../../../infra/provider/provider.ts';
import { withoutHost } from '../../../infra/pulumi/forget-host.ts';
import type { StackProgram, StackRunner, UpOptions } from '../../../infra/pulumi/stack-runner.ts';
import { isFormerStanding, withoutResources, type Deployment } from '../../../infra/pulumi/without-resources.ts';
import { declarations } from '../../../infra/resources/declared.ts';
import { BrokenError, LockedError, messageOf, OvertakenError } from '../../../pipelines/errors.ts';
import { canonicalJson } from '../../../pipelines/model/fingerprint.ts';
import { DockerPlugin } from './docker-plugin.ts';
import { runProgram, type Goal, type Made } from './pulumi-program.ts';

/** A resource as Pulumi's states have it. */
interface Recorded {
  readonly urn: string;
  readonly custom: true;
  readonly id: string;
  readonly type: string;
  readonly inputs: Record<string, unknown>;
  readonly outputs: Record<string, unknown>;
  readonly dependencies: readonly string[];
  readonly provider: string;
}

/** The process that runs programs. */
export interface RunningProcess {
  /** it was killed: nothing of it happens any more */
  readonly isDead: boolean;
}

/** A folder with the states of stacks, in Pulumi's own files, and its locks. */
export class StateFolder {
  readonly path: string;
  /** stack → who changes it */
  readonly locks = new Map<string, RunningProcess>();

  constructor(path: string) {
    this.path = path;
    mkdirSync(path, { recursive: true });
  }

  read(project: string, stack: string): Recorded[] | undefined {
    try {
      const text = readFileSync(this.#file(project, stack), 'utf8');
      return (JSON.parse(text) as { checkpoint: { latest: { resources: Recorded[] } } }).checkpoint.latest.resources;
    } catch {
      return undefined;
    }
  }

  write(project: string, stack: string, resources: readonly Recorded[]): void {
    const file = this.#file(project, stack);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(`${file}.new`, JSON.stringify({ version: 3, checkpoint: { stack, latest: { resources } } }));
    renameSync(`${file}.new`, file);
  }

  remove(project: string, stack: string): void {
    rmSync(this.#file(project, stack), { force: true });
  }

  #file(project: string, stack: string): string {
    return join(this.path, '.pulumi', 'stacks', project, `${stack}.json`);
  }
}

/** What runs of programs belong to. */
export interface RunnerParts {
  readonly project: string;
  readonly states: StateFolder;
  readonly process: RunningProcess;
  readonly lock: HeldLock;
  engineOf(host: string): Promise<Engine>;
}

/**
 * Runs programs against stacks in this process, with Lockage's own provider and in Pulumi's order: what is declared is made
 * once what it depends on is there, then what is declared no more goes, the last first; after each step the state is written,
 * and the first failure ends it.
 */
export class InProcessStacks implements StackRunner {
  readonly #parts: RunnerParts;

  constructor(parts: RunnerParts) {
    this.#parts = parts;
  }

  async up(name: string, program: StackProgram, context: ProviderContext, options: UpOptions): Promise<void> {
    await this.#locked(name, context, async (run) => {
      if (options.refresh) await run.refresh();
      declarations.clear();
      const before = run.resources;
      await runProgram({ project: this.#parts.project, stack: name }, () => program(before), run.step(options.only));
      if (!options.only) await run.removeOthers();
    });
  }

  async destroy(name: string, context: ProviderContext): Promise<void> {
    await this.#locked(name, context, (run) => run.removeOthers());
    await this.forget(name);
  }

  async forget(name: string): Promise<void> {
    this.#parts.states.remove(this.#parts.project, name);
  }

  async forgetHosts(name: string, hosts: readonly string[]): Promise<void> {
    this.#change(name, (deployment) => hosts.reduce(withoutHost, deployment));
  }

  async forgetFormerStanding(name: string): Promise<void> {
    this.#change(name, (deployment) => withoutResources(deployment, isFormerStanding));
  }

  async cancelLocks(names: readonly string[]): Promise<void> {
    for (const name of names) this.#parts.states.locks.delete(name);
  }

  async liftLock(name: string): Promise<void> {
    this.#parts.states.locks.delete(name);
  }

  async endRunsOf(): Promise<void> {
    // None outlasts the command that it belongs to.
  }

  #change(name: string, change: (deployment: Deployment) => Deployment): void {
    const { project, states } = this.#parts;
    const resources = states.read(project, name);
    if (!resources) return;
    const { resources: changed } = change({ resources });
    states.write(project, name, changed as unknown as Recorded[]);
  }

  /** Works on a stack while nobody else does. The lock of a process that is gone stops nobody. */
  async #locked(name: string, context: ProviderContext, work: (run: StackRun) => Promise<void>): Promise<void> {
    const { states, process, lock } = this.#parts;
    await lock.check();
    const holder = states.locks.get(name);
    if (holder && !holder.isDead) throw new LockedError(`${name} is being changed by somebody else`);
    states.locks.set(name, process);
    const run = new StackRun(this.#parts, name, context);
    const lost = new Promise<never>((_, reject) => void lock.onLost(reject));
    lost.catch(() => undefined);
    try {
      await Promise.race([work(run), lost]);
    } catch (error) {
      throw error instanceof OvertakenError ? error : (run.error ?? error);
    } finally {
      run.end();
      if (states.locks.get(name) === process) states.locks.delete(name);
    }
  }
}

/** One run of a program on a stack. */
class StackRun {
  readonly #parts: RunnerParts;
  readonly #name: string;
  readonly #provider: provider.Provider;
  readonly #docker: DockerPlugin;
  #before: readonly Recorded[];
  readonly #now: Recorded[] = [];
  #hasEnded = false;
  /** the first thing that a resource of ours threw */
  error: unknown;

  constructor(parts: RunnerParts, name: string, context: ProviderContext) {
    this.#parts = parts;
    this.#name = name;
    this.#before = parts.states.read(parts.project, name) ?? [];
    const onError = (error: unknown) => (this.error ??= error);
    this.#provider = createProvider({ context: () => context, onError, lock: parts.lock });
    this.#docker = new DockerPlugin(parts.engineOf);
  }

  /** What is recorded now: what this run has made, and what it has not come to. */
  get resources(): readonly Recorded[] {
    const made = new Set(this.#now.map(({ urn }) => urn));
    return [...this.#now, ...this.#before.filter(({ urn }) => !made.has(urn))];
  }

  /** Nothing of it is recorded any more. */
  end(): void {
    this.#hasEnded = true;
  }

  /** Returns what makes a resource what is declared. `only`: others stay as they are recorded. */
  step(only: UpOptions['only']): (goal: Goal) => Promise<Made> {
    return async (goal) => {
      const before = this.#before.find(({ urn }) => urn === goal.urn);
      const isMeant = !only || goal.urn.endsWith(`::lockage:index:${only.type}::${only.name}`);
      if (!isMeant && before) return this.#note(before);
      const { type, urn, dependencies, provider: madeBy } = goal;
      const { inputs, ...made } = await this.#make(goal, before);
      return this.#note({ urn, custom: true, type, inputs, ...made, dependencies, provider: madeBy });
    };
  }

  /** Removes what was not declared, the last first. */
  async removeOthers(): Promise<void> {
    const made = new Set(this.#now.map(({ urn }) => urn));
    for (const gone of this.#before.filter(({ urn }) => !made.has(urn)).toReversed()) {
      await this.#remove(gone);
      this.#before = this.#before.filter(({ urn }) => urn !== gone.urn);
      this.#write();
    }
  }

  /** Forgets what somebody else has removed. */
  async refresh(): Promise<void> {
    const found = await Promise.all(
      this.#before.map(async (each) => {
        if (!isDockers(each)) return true;
        return this.#docker.exists(hostOf(each), each.type, each.outputs);
      }),
    );
    this.#before = this.#before.filter((_, index) => found[index]);
    this.#write();
  }

  async #make(goal: Goal, before: Recorded | undefined): Promise<Made & { readonly inputs: Recorded['inputs'] }> {
    const { urn, type, inputs } = goal;
    if (type.startsWith('pulumi:providers:')) return { id: before?.id ?? randomUUID(), inputs, outputs: inputs };
    if (isDockers(goal)) return { ...(await this.#makeOfDocker(goal, before)), inputs };
    const checked = (await this.#provider.check?.(urn, before?.inputs ?? {}, inputs))?.inputs as Recorded['inputs'];
    if (!before) {
      const { id, outs } = (await this.#provider.create?.(urn, checked)) ?? { id: '', outs: {} };
      return { id, inputs: checked, outputs: outs as Recorded['outputs'] };
    }
    const { id, outputs } = before;
    const diff = await this.#provider.diff?.(id, urn, outputs, checked);
    if (!diff?.changes) return { id, inputs: checked, outputs };
    const { outs } = (await this.#provider.update?.(id, urn, outputs, checked)) ?? {};
    return { id, inputs: checked, outputs: outs as Recorded['outputs'] };
  }

  async #makeOfDocker(goal: Goal, before: Recorded | undefined): Promise<Made> {
    const { type, inputs, importId, ignoreChanges } = goal;
    if (before && (ignoreChanges.includes('*') || canonicalJson(before.inputs) === canonicalJson(inputs)))
      return { id: before.id, outputs: before.outputs };
    if (before) throw new BrokenError(`${goal.name} would have to be replaced, which is not simulated`);
    if (importId !== '') return { id: importId, outputs: inputs };
    return this.#docker.create(hostOf(goal), type, inputs).catch((error: unknown) => {
      throw new BrokenError(`Pulumi could not change ${this.#name}`, { details: [messageOf(error)], cause: error });
    });
  }

  async #remove(gone: Recorded): Promise<void> {
    if (gone.type.startsWith('pulumi:providers:')) return;
    if (isDockers(gone)) return this.#docker.remove(hostOf(gone), gone.type, gone.outputs);
    await this.#provider.delete?.(gone.id, gone.urn, gone.outputs);
  }

  #note(made: Recorded): Made {
    this.#now.push(made);
    this.#write();
    return made;
  }

  #write(): void {
    const { process, states, project } = this.#parts;
    if (!process.isDead && !this.#hasEnded) states.write(project, this.#name, this.resources);
  }
}

function isDockers({ type }: Pick<Goal, 'type'>): boolean {
  return type.startsWith('docker:');
}

/** Returns the host of a resource of Docker's plugin, for which its provider is named. */
function hostOf({ provider: madeBy }: Pick<Goal, 'provider'>): string {
  return madeBy.split('::')[3] ?? '';
}
