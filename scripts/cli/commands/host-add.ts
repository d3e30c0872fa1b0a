import { HostSetup } from '../../../infra/hosts/setup/host-setup.ts';
import { failpoint } from '../../../infra/system/failpoint.ts';
import { withTarget, type WrittenTarget } from '../../../pipelines/config/edit-targets.ts';
import { BrokenError, LockageError, messageOf } from '../../../pipelines/errors.ts';
import { preparationOf, type PreparationStep } from '../../../pipelines/hosts/preparation.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import { currentRevision } from '../../../pipelines/model/ledger.ts';
import { environmentNamed } from '../../../pipelines/model/pipeline.ts';
import { environmentFile, tryEdit, writeEdit, type EnvironmentEdit } from '../../project/edit.ts';
import { firstContact } from '../confirm-host-key.ts';
import type { CommandContext } from '../open-context.ts';
import type { Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';
import { hostCheckLines } from '../views/host-check.ts';
import { doneLine, preparationLines } from '../views/preparation.ts';
import { checkHosts } from './host-check.ts';
import { targetOf, type Target, type TargetFlags } from './host-target.ts';

interface AddFlags extends Flags, TargetFlags {
  readonly env: string;
}

/** Runs `lockage host add`. */
export async function hostAddCommand(url: string, flags: AddFlags, signal: AbortSignal): Promise<void> {
  await runCommand(flags, signal, async (context) => {
    const { project, terminal } = context;
    const environment = environmentNamed(project, flags.env);
    const target = targetOf(environment, url, flags, { root: project.root, cwd: process.cwd() });
    // What the file cannot hold must be known before anything happens on the machine.
    if (target.written) await tryEdit(editOf(context, environment, target.written));

    terminal.step('connect', target.host.endpoint.url);
    const pinned = await pin(context, target, flags);
    const { steps, lines } = await prepare(context, environment, pinned);

    const now = await joinEnvironment(context, environment, pinned).catch((error: unknown) => {
      throw steps.some(({ action }) => action !== 'none')
        ? halfAddedError(environment, pinned.host.name, error)
        : error;
    });

    terminal.step('check', pinned.host.name);
    const [checked] = await checkHosts(context, [now]);
    const { name } = pinned.host;
    const outcome = pinned.written ? 'added' : steps.some(({ action }) => action !== 'none') ? 'prepared' : 'unchanged';
    const facts = checked?.hosts.find((host) => host.name === name);
    terminal.result({ outcome, environment: environment.name, host: name, steps, ...facts }, [
      ...lines,
      ...(checked ? hostCheckLines([checked], name) : []),
      ...(outcome === 'added' ? [await nextLine(context, environment, name)] : []),
    ]);
  });
}

/** Connects to the host's engine, and adds the host to the environment's file. */
async function joinEnvironment(
  context: CommandContext,
  environment: Environment,
  { host, written }: Target,
): Promise<Environment> {
  context.terminal.step('reach', 'its Docker Engine');
  await context.connections.engine(host);
  return written ? writeEdit(editOf(context, environment, written)) : environment;
}

/** Makes the error for a machine that is prepared, which is not undone, but is not a target yet. */
function halfAddedError({ name }: Environment, host: string, error: unknown): LockageError {
  const details = error instanceof LockageError ? error.details : [];
  return new BrokenError(`${host} is prepared, but no target of ${name} yet: ${messageOf(error)}`, {
    details,
    hint: 'Run the same command again: what is done is not done twice.',
    cause: error,
  });
}

/** Returns the target with the key that a person confirmed, which every operator must expect from now on. */
async function pin(context: CommandContext, { host, written }: Target, flags: AddFlags): Promise<Target> {
  const pinned = host.endpoint.hostKey;
  const given = flags.hostKey ?? (pinned === undefined ? [] : [pinned]);
  const hostKey = await firstContact(context, host, given);
  return written
    ? { host: { ...host, endpoint: { ...host.endpoint, hostKey } }, written: { ...written, hostKey } }
    : { host };
}

interface Done extends Pick<PreparationStep, 'subject' | 'action'> {
  readonly milliseconds?: number;
}

/** Shows what will be done on the machine and in the file, asks, and does what is to be done on the machine. */
async function prepare(
  context: CommandContext,
  environment: Environment,
  { host, written }: Target,
): Promise<{ steps: Done[]; lines: string[] }> {
  const { project, terminal, signal } = context;
  const machine = new HostSetup(host, context.connections.link(host));
  const before = await machine.state();
  const preparation = preparationOf(before, project.insecureRegistries);
  const file = environmentFile(environment.name);
  const lines = preparationLines(host, before, preparation, file, written !== undefined);
  const isReady = preparation.steps.every(({ action }) => action === 'none');
  if (isReady && !written) return { steps: [...preparation.steps], lines: [`${host.name} is as it should be`] };

  for (const line of lines) terminal.line(line, 'stderr');
  await terminal.confirm(isReady ? `Add ${host.name} to ${file}?` : `Change ${host.name} as shown?`);
  const steps: Done[] = [];
  for (const step of preparation.steps) {
    signal.throwIfAborted();
    const started = performance.now();
    await machine.execute(step, before, preparation);
    failpoint(`after:${step.action}`);
    const { subject, action } = step;
    const done =
      action === 'none' ? { subject, action } : { subject, action, milliseconds: performance.now() - started };
    terminal.line(doneLine(step, done.milliseconds), 'stderr');
    steps.push(done);
  }
  return { steps, lines: [] };
}

function editOf({ project }: CommandContext, environment: Environment, written: WrittenTarget): EnvironmentEdit {
  return {
    root: project.root,
    environment: environment.name,
    edit: (file) => withTarget(file, written),
    hosts: [...environment.hosts.map(({ name }) => name), written.name],
  };
}

async function nextLine(context: CommandContext, { name }: Environment, host: string): Promise<string> {
  const current = currentRevision((await context.records.environment(name)).ledger);
  const next = current ? `: lockage promote ${current.release.version} --to ${name}` : '';
  return `${host} is a target of ${name} now, and takes part from the next promotion on${next}`;
}
