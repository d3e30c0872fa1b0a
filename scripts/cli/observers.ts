/*
 * Those who hear of a command's operations: hooks may refuse what has not begun, and everybody else is told how it ended, at
 * once and after the result was shown. Nothing is loaded that the project has not.
 */
import { steadyNow } from '../../infra/system/clock.ts';
import { InterruptedError, messageOf } from '../../pipelines/errors.ts';
import type { Project } from '../../pipelines/model/environment.ts';
import type { Notification } from '../../pipelines/model/integrations.ts';
import type { Release } from '../../pipelines/model/release.ts';
import type { SecretSource } from '../../pipelines/model/secret-source.ts';
import type { ExternalApprovals } from '../../pipelines/operations/ports/approvals.ts';
import {
  deploying,
  isThere,
  type Observers,
  type OperationEnd,
  type OperationFacts,
  type OperationPoint,
} from '../../pipelines/operations/observers.ts';
import { checkHookNames, hooksFolder, runHook, type HookFacts, type HookPoint } from '../project/hooks.ts';
import type { ConsoleTerminal } from './terminal.ts';
import type { GitHubReporter } from './github-reporter.ts';
import type { Redactor } from '../tools/redactor.ts';

interface Dependencies {
  readonly project: Project;
  readonly actor: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly redactor: Redactor;
  readonly terminal: Pick<ConsoleTerminal, 'note' | 'detail' | 'step'>;
  readonly signal: AbortSignal;
  readonly skipHooks: boolean;
  /** returns the notes (Markdown) of a release */
  readonly notes: (release: Release) => Promise<string>;
}

/** Milliseconds that each one outside has to hear how an operation ended. */
const deadline = 5000;
/** Operations that put back what was recorded, and the milliseconds that a hook has before them at most. */
const backwards: ReadonlySet<string> = new Set(['rollback', 'heal']);
const backwardsTimeout = 30_000;

/** The observers of one command. */
export class CommandObservers implements Observers {
  readonly #dependencies: Dependencies;
  readonly #integrations: NonNullable<Project['integrations']>;
  #facts: OperationFacts | undefined;
  #github: Promise<GitHubReporter> | undefined;
  #told: Promise<void>[] = [];
  /** that was said of GitHub: what fails at the beginning fails at the end */
  #lastLine = '';

  constructor(dependencies: Dependencies, integrations: NonNullable<Project['integrations']>) {
    this.#dependencies = dependencies;
    this.#integrations = integrations;
  }

  async begin(facts: OperationFacts): Promise<void> {
    this.#facts = facts;
    const { operation } = facts;
    const connects = deploying.has(operation) || operation === 'drill';
    if (this.#dependencies.skipHooks || !(connects || operation === 'release')) return;
    const asked = async (timeout?: number) => {
      await checkHookNames(this.#dependencies.project.root);
      if (connects) await this.#hook('pre-connect', facts, timeout);
    };
    if (!backwards.has(operation)) return asked();
    // Nothing of this computer's keeps what was recorded from coming back.
    await asked(backwardsTimeout).catch((error: unknown) => {
      if (error instanceof InterruptedError) throw error;
      this.#say(messageOf(error));
    });
  }

  async reach(point: OperationPoint, facts: Partial<OperationFacts>): Promise<void> {
    this.know(facts);
    const known = { operation: '', ...this.#facts };
    await this.#hook(point, known);
    // Nobody waits for it: what it does not hear now it hears at the end.
    if (point === 'pre-deploy') this.#told.push(this.#tellGitHub((github) => github.begin(known)));
  }

  /** Returns the approvals that GitHub knows of; undefined where none is configured. */
  get approvals(): ExternalApprovals | undefined {
    const { github: settings } = this.#integrations;
    if (settings === undefined || Object.keys(settings.approvers).length === 0) return undefined;
    return {
      find: async (question) => {
        const { gitHubApprovals } = await import('./github-reporter.ts');
        return gitHubApprovals({ ...this.#dependencies, settings }).find(question);
      },
    };
  }

  know(facts: Partial<OperationFacts>): void {
    this.#facts = { operation: '', ...this.#facts, ...facts };
  }

  end(end: OperationEnd): Promise<void> {
    const known = { ...this.#facts, ...end };
    // What is reproduced here is nobody else's.
    const isOurs = this.#dependencies.project.environments.some(({ name }) => name === end.environment);
    if (end.environment !== undefined && !isOurs) return Promise.resolve();
    this.#told.push(
      this.#postDeploy(known),
      this.#notify(known),
      this.#tellGitHub((github) => github.end(known)),
    );
    return Promise.resolve();
  }

  /** Waits until all have heard of it, or their time is over. Never throws. */
  async settled(): Promise<void> {
    await Promise.all(this.#told);
    this.#told = [];
  }

  async #hook(point: HookPoint, facts: HookFacts, longest = Infinity): Promise<void> {
    const { project, actor, env, redactor, signal, skipHooks, terminal } = this.#dependencies;
    if (skipHooks) return;
    await runHook(point, facts, {
      root: project.root,
      app: project.app,
      timeout: Math.min(longest, this.#integrations.hooks.timeout),
      actor,
      env,
      signal,
      onStart: () => terminal.step('hook', `${hooksFolder}/${point}`),
      mask: (text) => redactor.redact(text),
      show: (line) => terminal.detail(line),
      time: () => new Date(steadyNow()).toISOString(),
    });
  }

  async #postDeploy(end: OperationEnd): Promise<void> {
    if (!isThere(end) || end.isTrial || !deploying.has(end.operation)) return;
    await this.#hook('post-deploy', end).catch((error: unknown) => this.#say(messageOf(error)));
  }

  async #notify(end: OperationEnd): Promise<void> {
    const { notifications } = this.#integrations;
    if (notifications.length === 0) return;
    const { eventOf } = await import('../../infra/webhooks/message.ts');
    const event = eventOf(end);
    const wanted = notifications.filter(
      ({ on, environments }) =>
        event !== undefined &&
        on.includes(event) &&
        (environments === undefined || environments.includes(end.environment ?? '')),
    );
    await Promise.all(
      wanted.map((notification) =>
        this.#send(notification, end).catch((error: unknown) =>
          this.#say(`notification ${notifications.indexOf(notification) + 1} of lockage.yaml: ${messageOf(error)}`),
        ),
      ),
    );
  }

  async #send({ url, format, secret }: Notification, end: OperationEnd): Promise<void> {
    const { project, actor, redactor } = this.#dependencies;
    const [address, key] = await Promise.all([
      typeof url === 'string' ? url : this.#secret('url', url),
      secret && this.#secret('secret', secret),
    ]);
    const [{ eventDocument, eventOf, eventText, chatDocument }, { sendWebhook }] = await Promise.all([
      import('../../infra/webhooks/message.ts'),
      import('../../infra/webhooks/send.ts'),
    ]);
    const event = eventOf(end) ?? 'changed';
    const teller = { app: project.app, actor, time: new Date(steadyNow()).toISOString() };
    const document =
      format === 'slack' ? chatDocument(eventText(event, end, teller)) : eventDocument(event, end, teller);
    const body = JSON.stringify(redactor.redactTexts(document));
    const message = { url: address, body, ...(key === undefined ? {} : { secret: key }) };
    await sendWebhook(message, { deadline, now: steadyNow });
  }

  async #tellGitHub(tell: (github: GitHubReporter) => Promise<void>): Promise<void> {
    if (this.#integrations.github === undefined) return;
    try {
      const { openReporter } = await import('./github-reporter.ts');
      this.#github ??= openReporter({ ...this.#dependencies, settings: this.#integrations.github });
      await tell(await this.#github);
    } catch (error) {
      const line = `GitHub was not told: ${messageOf(error)}`;
      if (line !== this.#lastLine) this.#say(line);
      this.#lastLine = line;
    }
  }

  /** Reads a secret where it lies, and masks it from then on. */
  async #secret(name: string, source: SecretSource): Promise<string> {
    const { project, env, redactor } = this.#dependencies;
    const { readOneSecret } = await import('../project/one-secret.ts');
    return readOneSecret(name, source, { root: project.root, env, redactor });
  }

  #say(text: string): void {
    this.#dependencies.terminal.note(text);
  }
}
