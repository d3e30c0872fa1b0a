import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LocalWorkspace, Stack, type PulumiCommand } from '@pulumi/pulumi/automation/index.js';
import { OvertakenError } from '../../pipelines/errors.ts';
import type { HeldLock } from '../context/held-lock.ts';
import type { ProviderContext } from '../context/provider-context.ts';
import { createProvider, providerName } from '../provider/provider.ts';
import { serveProvider } from '../provider/serve.ts';
import { declarations } from '../resources/declared.ts';
import type { RecordedResource } from '../resources/keep-others.ts';
import { writeAtomic } from '../system/atomic-file.ts';
import { backendFolder } from '../system/backend-folder.ts';
import { exemptLoopback } from '../system/environment.ts';
import { withDescendants } from '../system/socket-holder.ts';
import { settingsIn, type PulumiResult, type PulumiSettings, type RunOptions } from './cli.ts';
import { translate, PulumiError, type LockHolder } from './errors.ts';
import { requireDockerPlugin } from './find-pulumi.ts';
import { withoutHost } from './forget-host.ts';
import { serveProgram } from './program-server.ts';
import { hasUnsealed, withSealed } from './secret-values.ts';
import { isFoundation } from './stack-names.ts';
import type { StackProgram, StackRunner, UpOptions } from './stack-runner.ts';
import { StackRuns } from './stack-runs.ts';
import { exported, readStack, type StackState } from './state.ts';
import { isFormerStanding, withoutResources, type Deployment } from './without-resources.ts';

/** Pulumi steps at the same time: they wait for hosts, not for processors. */
const parallel = 256;

/**
 * The runs of programs against stacks through Pulumi's Automation API. Lockage's provider is served by this very
 * process, so that connections to hosts, progress and errors stay in one place, and no second Node has to start. It
 * answers to the Pulumi processes that were started here, and to nobody else.
 */
export class PulumiStacks implements StackRunner {
  readonly #settings: PulumiSettings;
  readonly #project: string;
  readonly #lock: HeldLock | undefined;
  readonly #runs: StackRuns;
  /** stack → where its Pulumi finds the program to run */
  readonly #programs = new Map<string, string>();
  /** Pulumi processes that run now */
  readonly #running = new Set<number>();
  #provider: { port: Promise<string>; context: ProviderContext; error: unknown } | undefined;

  /** `lock`: that of the environment whose stacks these are; a run of Pulumi ends at once when it is lost */
  constructor(settings: PulumiSettings, project: string, lock?: HeldLock) {
    exemptLoopback();
    this.#settings = settings;
    this.#project = project;
    this.#lock = lock;
    this.#runs = new StackRuns(settings, project, lock);
  }

  /**
   * Runs one `pulumi up`; the program is told what is recorded. Throws the error that a resource of ours threw, else
   * LockageError with Pulumi's last lines.
   */
  async up(
    name: string,
    program: StackProgram,
    context: ProviderContext,
    { only, ...options }: UpOptions,
  ): Promise<void> {
    if (isFoundation(name)) requireDockerPlugin();
    const provider = this.#serve(context);
    const target = only
      ? { target: [`urn:pulumi:${name}::${this.#project}::lockage:index:${only.type}::${only.name}`] }
      : {};
    try {
      const { stack, recorded } = await this.#stack(name, await provider.port);
      await this.#runs.afterStaleLock(name, () =>
        this.#withProgram(
          name,
          () => program(recorded),
          () => stack.up({ ...options, ...target, parallel, suppressOutputs: true }),
        ),
      );
    } catch (error) {
      throw error instanceof OvertakenError ? error : (provider.error ?? translate(error, name));
    }
  }

  /** Does the work, one run of Pulumi, while it finds the program; what is declared counts from here on. */
  async #withProgram(name: string, program: () => Promise<void>, work: () => Promise<unknown>): Promise<void> {
    declarations.clear();
    const served = await serveProgram(program);
    this.#programs.set(name, served.address);
    let hasError = true;
    try {
      await work();
      hasError = false;
    } finally {
      declarations.clear();
      this.#programs.delete(name);
      await served.close(hasError);
    }
  }

  /** Removes everything of a stack, and the stack. */
  async destroy(name: string, context: ProviderContext): Promise<void> {
    if (isFoundation(name)) requireDockerPlugin();
    const provider = this.#serve(context);
    try {
      const { stack } = await this.#stack(name, await provider.port);
      await this.#runs.afterStaleLock(name, () => stack.destroy({ parallel, suppressOutputs: true }));
      await this.#runs.run(name, ['stack', 'rm', '--yes', '--stack', name]);
    } catch (error) {
      throw error instanceof OvertakenError ? error : (provider.error ?? translate(error, name));
    }
  }

  /** Removes a stack from the backend, whatever its state says that exists. */
  async forget(name: string): Promise<void> {
    // That of an environment whose first promotion did not get that far was never made.
    if ((await readStack(this.#in(name), this.#project, name)) === undefined) return;
    try {
      await this.#runs.afterStaleLock(name, async () => {
        const result = await this.#runs.run(name, ['stack', 'rm', '--yes', '--force', '--stack', name]);
        if (result.code === 0 || /no stack named|not found/i.test(result.stderr)) return;
        throw new PulumiError(result.stderr);
      });
    } catch (error) {
      throw translate(error, name);
    }
  }

  #serve(context: ProviderContext): { port: Promise<string>; context: ProviderContext; error: unknown } {
    this.#provider ??= {
      port: portOf(() =>
        serveProvider(
          createProvider({
            context: () => this.#current().context,
            onError: (error) => (this.#current().error ??= error),
            declared: declarations,
            lock: this.#lock,
          }),
          [],
          () => withDescendants([...this.#running]),
        ),
      ),
      context,
      error: undefined,
    };
    this.#provider.context = context;
    this.#provider.error = undefined;
    return this.#provider;
  }

  #current(): { context: ProviderContext; error: unknown } {
    if (!this.#provider) throw new Error('the provider is asked before it is served');
    return this.#provider;
  }

  /**
   * Returns the settings of a stack. Each has a folder of its own, so that operations on several environments do not
   * meet in its files.
   */
  #in(name: string): PulumiSettings {
    return settingsIn(this.#settings, name);
  }

  async #stack(name: string, port: string): Promise<{ stack: Stack; recorded: readonly RecordedResource[] }> {
    const settings = this.#in(name);
    const { folder } = settings;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const state = await readStack(settings, this.#project, name);
    await this.#useSalt(name, state?.salt);
    if (state?.pending) await this.#clearPending(name);
    if (hasUnsealed(state?.resources ?? [])) await this.#sealRecorded(name);
    const workspace = await LocalWorkspace.create({
      workDir: folder,
      pulumiCommand: this.#command(name),
      envVars: { PULUMI_DEBUG_PROVIDERS: `${providerName}:${port}` },
      projectSettings: { name: this.#project, runtime: 'nodejs' },
    });
    if (state !== undefined) return { stack: await Stack.select(name, workspace), recorded: state.resources };
    const kept = backendFolder(settings.backend);
    // Of a state that was lost, the passphrase may be all that is left.
    if (kept !== undefined) await mkdir(kept, { recursive: true, mode: 0o700 });
    const stack = await Stack.create(name, workspace).catch((error: unknown) => {
      // Somebody else made it between the look at the state and now.
      if (error instanceof PulumiError && /already exists/.test(error.message)) return Stack.select(name, workspace);
      throw error;
    });
    return { stack, recorded: [] };
  }

  /**
   * Uses the recorded salt. It belongs to the state, not to this machine: with another one, no other operator could
   * read the secrets.
   */
  async #useSalt(name: string, salt: string | undefined): Promise<void> {
    const path = join(this.#in(name).folder, `Pulumi.${name}.yaml`);
    // Without a state, the salt of an earlier one would be taken for a wrong passphrase.
    if (salt === undefined) return rm(path, { force: true });
    const text = `encryptionsalt: ${salt}\n`;
    if ((await readFile(path, 'utf8').catch(() => '')) !== text) await writeAtomic(path, text);
  }

  /** Clears what a killed run was creating: it is found again by name on the hosts, so Pulumi need not remember it. */
  async #clearPending(name: string): Promise<void> {
    await this.#rewrite(name, ({ pending_operations: _, ...deployment }) => deployment);
  }

  /**
   * Seals what an earlier version recorded in clear: what Pulumi loads with a state is in its messages, so nothing
   * runs over such values.
   */
  async #sealRecorded(name: string): Promise<void> {
    const { key } = this.#current().context.secrets;
    await this.#rewrite(name, (deployment) => withSealed(deployment, key), ['--show-secrets']);
  }

  /**
   * Makes a stack's state forget what hosts have of it, for hosts that are gone for good: nothing can be removed there, and
   * Pulumi must not try. A stack that does not exist is fine.
   */
  async forgetHosts(name: string, hosts: readonly string[]): Promise<void> {
    await this.#change(
      name,
      () => true,
      (deployment) => hosts.reduce(withoutHost, deployment),
    );
  }

  /** Makes a stack's state forget edges and accessories that Docker's plugin made, so that it never removes them. */
  async forgetFormerStanding(name: string): Promise<void> {
    const isDue = ({ resources }: StackState) => resources.some(isFormerStanding);
    await this.#change(name, isDue, (deployment) => withoutResources(deployment, isFormerStanding));
  }

  async #change(
    name: string,
    isDue: (state: StackState) => boolean,
    change: (deployment: Deployment) => Deployment,
  ): Promise<void> {
    const state = await readStack(this.#in(name), this.#project, name);
    if (state === undefined || !isDue(state)) return;
    await mkdir(this.#in(name).folder, { recursive: true, mode: 0o700 });
    await this.#useSalt(name, state.salt);
    await this.#rewrite(name, change);
  }

  /** Replaces a stack's deployment in the backend. */
  async #rewrite(
    name: string,
    change: (deployment: Deployment) => Deployment | Promise<Deployment>,
    exporting: readonly string[] = [],
  ): Promise<void> {
    const run = async (argv: string[], input?: string) => {
      const result = await this.#runs.run(name, [...argv, '--stack', name], input === undefined ? {} : { input });
      if (result.code !== 0) throw new PulumiError(result.stderr);
      return result.stdout;
    };
    try {
      // The lock of a run that was killed is in the way here already.
      await this.#runs.afterStaleLock(name, async () => {
        const stack = exported<Deployment>(await run(['stack', 'export', ...exporting]), name);
        await run(['stack', 'import'], JSON.stringify({ ...stack, deployment: await change(stack.deployment) }));
      });
    } catch (error) {
      throw translate(error, name);
    }
  }

  /**
   * Lifts Pulumi's locks of stacks whose environment's lock was taken over: whoever has them cannot hold that one any more.
   */
  async cancelLocks(names: readonly string[]): Promise<void> {
    await Promise.all(names.map((name) => this.#runs.cancelLocks(name)));
  }

  async endRunsOf(stack: string, parent: number): Promise<void> {
    await this.#runs.endRunsOf(stack, parent);
  }

  async liftLock(stack: string, holder: LockHolder): Promise<void> {
    await this.#runs.liftLock(stack, holder);
  }

  /**
   * Returns a CLI that answers what is known or not needed. The Automation API surrounds an operation with questions
   * (does the stack exist, its outputs, its history) that cost 0.15 s each; the others go to the CLI.
   */
  #command(name: string): PulumiCommand {
    const run = async (
      argv: string[],
      _cwd: string,
      env: Record<string, string>,
      onOutput?: (text: string) => void,
    ) => {
      const [command, sub] = argv;
      if (command === 'stack' && sub === 'select') return { stdout: '', stderr: '', code: 0 };
      if (command === 'stack' && sub === 'output') return { stdout: '{}', stderr: '', code: 0 };
      if (command === 'stack' && sub === 'history') return { stdout: '[]', stderr: '', code: 0 };
      const client = command === 'up' ? this.#programs.get(name) : undefined;
      const all = client === undefined ? argv : [...argv, `--client=${client}`];
      const result = await this.#runCalling(name, all, { env, ...(onOutput ? { onOutput } : {}) });
      if (result.code !== 0) throw new PulumiError(`${result.stdout}\n${result.stderr}`);
      return result;
    };
    return { command: 'pulumi', version: null, run } as unknown as PulumiCommand;
  }

  /** Runs Pulumi, which may call the provider until it has ended. */
  async #runCalling(name: string, argv: readonly string[], options: RunOptions): Promise<PulumiResult> {
    let process: number | undefined;
    const onStart = (pid: number) => {
      process = pid;
      this.#running.add(pid);
    };
    try {
      return await this.#runs.run(name, argv, { ...options, onStart });
    } finally {
      if (process !== undefined) this.#running.delete(process);
    }
  }
}

/** Returns the port that a provider is served at, which Pulumi's SDK tells only by printing it, as plugins do. */
async function portOf(serving: () => Promise<unknown>): Promise<string> {
  const print = console.log;
  let port = '';
  console.log = (line: unknown) => {
    port = String(line);
  };
  try {
    await serving();
  } finally {
    console.log = print;
  }
  return port;
}
