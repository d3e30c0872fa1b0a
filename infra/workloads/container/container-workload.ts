import { setTimeout as sleep } from 'node:timers/promises';
import type { Health } from '../../../pipelines/model/environment.ts';
import { endOf } from '../../../pipelines/text/shortened.ts';
import { edgeOf, type ProviderContext } from '../../context/provider-context.ts';
import type { Engine } from '../../docker/api/client.ts';
import type { ContainerInputs } from '../../resources/inputs.ts';
import { lastLinesOf } from '../last-lines.ts';
import type { ProbeOptions, Workload, Probe } from '../workload.ts';
import { createContainer, removeContainer } from './container.ts';
import { restartPolicies } from './create-request.ts';

/** Milliseconds for a host to say whether a container runs: one that hangs must be noticed before its guard is due. */
const askTimeout = 10_000;
/** Bytes that are read of what a health command says: its end. A secret that begins before them is cut off below. */
const mostSaid = 8 * 1024;
/** Characters that are kept of it. */
const longestAnswer = 2000;

/** A release container on a host. */
export class ContainerWorkload implements Workload {
  readonly #context: ProviderContext;
  readonly #inputs: ContainerInputs;

  constructor(context: ProviderContext, inputs: ContainerInputs) {
    this.#context = context;
    this.#inputs = inputs;
  }

  async create(): Promise<void> {
    await createContainer(this.#context, this.#inputs);
  }

  async remove(): Promise<void> {
    await removeContainer(this.#context, this.#inputs);
  }

  async start({ onTrial }: { readonly onTrial?: true } = {}): Promise<void> {
    const engine = await this.#engine();
    await this.#context.checkLock();
    await engine.startContainer(this.#name);
    if (onTrial) return;
    await this.#context.checkLock();
    await this.enableRestart();
  }

  async stop(): Promise<void> {
    const engine = await this.#engine();
    await this.#context.checkLock();
    await engine.updateContainer(this.#name, { RestartPolicy: restartPolicies.rests });
    await this.#context.checkLock();
    await engine.stopContainer(this.#name, this.#inputs.spec.stopGrace);
  }

  async enableRestart(): Promise<void> {
    await (await this.#engine()).updateContainer(this.#name, { RestartPolicy: restartPolicies.serves });
  }

  /** Returns when the container started, if it runs and never restarted. */
  async instanceId(signal?: AbortSignal): Promise<string | undefined> {
    const found = await (await this.#engine()).inspectContainer(this.#name, { deadline: askTimeout, signal });
    if (found === undefined || !found.State.Running || found.State.Paused || found.RestartCount !== 0) return undefined;
    return found.State.StartedAt;
  }

  async healthy(rounds: Probe, asking: ProbeOptions): Promise<boolean> {
    const { check } = this.#inputs.spec.health;
    if (check.kind === 'http') return this.#answers(check, rounds, asking);
    return check.kind === 'command' ? this.#succeeds(check.command, rounds, asking) : true;
  }

  async diagnosis(signal: AbortSignal): Promise<string> {
    const found = await (await this.#engine()).inspectContainer(this.#name, { signal }).catch(() => undefined);
    if (!found || found.State.Running) return '';
    return ` (exit code ${found.State.ExitCode}${found.State.OOMKilled ? ', out of memory' : ''})`;
  }

  async lastLines(count: number, signal: AbortSignal): Promise<string[]> {
    const output = (await this.#engine()).logs(this.#name, { tail: count, signal });
    return lastLinesOf(output, count, (text) => this.#context.mask(text));
  }

  get #name(): string {
    return this.#inputs.spec.name;
  }

  #engine(): Promise<Engine> {
    return this.#context.engine(this.#inputs.host);
  }

  async #answers(
    check: Extract<Health['check'], { kind: 'http' }>,
    rounds: Probe,
    asking: ProbeOptions,
  ): Promise<boolean> {
    const edge = await edgeOf(this.#context, this.#inputs, this.#inputs.host);
    // By address: a static busybox in the edge image cannot look names up.
    const found = await (await this.#engine()).inspectContainer(this.#name);
    const [network] = Object.values(found?.NetworkSettings.Networks ?? {});
    const at = { ...check, address: network?.IPAddress || this.#name };
    return edge.probe(at, rounds, asking);
  }

  async #succeeds(command: readonly string[], rounds: Probe, { signal, onAnswer }: ProbeOptions): Promise<boolean> {
    const engine = await this.#engine();
    const end = performance.now() + rounds.seconds * 1000;
    for (let good = 0; good < rounds.times;) {
      const remaining = end - performance.now();
      if (remaining <= 0 || signal?.aborted) return false;
      const deadline = Math.max(1000, Math.min(remaining, 30_000));
      const run = engine.exec(this.#name, [...command], { deadline, signal, maxOutput: mostSaid });
      const result = await run.catch((error: unknown) => ({ code: -1, stdout: '', stderr: String(error) }));
      good = result.code === 0 ? good + 1 : 0;
      onAnswer?.(result.code === 0 ? `ok ${good}` : `exit code ${result.code} ${this.#answerIn(result)}`);
      if (good < rounds.times) await sleep(rounds.interval, undefined, { signal }).catch(() => undefined);
    }
    return true;
  }

  /** Returns what a health command said. Secrets are masked before it is cut: nobody knows a part of one afterwards. */
  #answerIn({ stderr, stdout }: { readonly stderr: string; readonly stdout: string }): string {
    return endOf(this.#context.mask((stderr || stdout).trim()), longestAnswer);
  }
}
