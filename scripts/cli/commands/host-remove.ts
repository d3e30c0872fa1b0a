import { withoutTarget } from '../../../pipelines/config/edit-targets.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import { ExitCode, LockageError, messageOf } from '../../../pipelines/errors.ts';
import { withoutCordoned } from '../../../pipelines/model/cordons.ts';
import { environmentNamed } from '../../../pipelines/model/pipeline.ts';
import { currentRevision, type EnvironmentRecord } from '../../../pipelines/model/ledger.ts';
import { didYouMean } from '../../../pipelines/text/suggest.ts';
import { queryHosts } from '../../../infra/hosts/query.ts';
import { inventoryOf } from '../../../infra/hosts/inventory.ts';
import { foundationStack } from '../../../infra/pulumi/stack-names.ts';
import { withEnvironmentLock } from '../../../pipelines/operations/steps/with-lock.ts';
import { environmentFile, tryEdit, writeEdit, type EnvironmentEdit } from '../../project/edit.ts';
import { runCommand } from '../run-command.ts';
import type { CommandContext } from '../open-context.ts';
import { withoutName } from './host-list.ts';
import type { Host } from '../../../pipelines/model/target.ts';
import type { Flags } from '../options.ts';

const timeouts = { first: 10_000 };

/** `lockage host rm` */
export async function hostRemoveCommand(
  name: string,
  flags: Flags & { readonly env: string; readonly gone?: boolean },
  signal: AbortSignal,
): Promise<void> {
  await runCommand(flags, signal, async (context) => {
    const environment = environmentNamed(context.project, flags.env);
    const host = hostNamed(environment, name);
    refuseNeeded(environment, host);
    const change = editOf(context, environment, host);
    await tryEdit(change);
    const record = await context.records.environment(environment.name);
    // The environment's lock is on its first host: whoever holds it there must not meet somebody with another one.
    const serving = withoutCordoned(environment, record.ledger);
    const gone = flags.gone === true;
    if (gone) refuseInService(environment, serving, host);
    const locks = gone || (host === serving.hosts[0] && record.ledger.revisions.length > 0);
    const take = async () => {
      const now = await context.records.environment(environment.name);
      if (gone) refuseInService(environment, withoutCordoned(environment, now.ledger), host);
      const { text, containers, next } = gone
        ? whatIsForgotten(environment, now, host)
        : await whatHappens(context, environment, now, host);
      context.terminal.note(text);
      await context.terminal.confirm(`Take ${name} out of ${environmentFile(environment.name)}?`);
      if (gone) await forget(context, environment, host);
      await writeEdit(change).catch((error: unknown) => {
        throw gone ? halfRemoved(environment, name, error) : error;
      });
      context.terminal.result({ outcome: 'removed', environment: environment.name, host: name, containers, next }, [
        `${name} is no target of ${environment.name} any more`,
        ...(next === undefined
          ? []
          : [`${gone ? 'The record follows' : 'What it has goes'} with the next promotion: ${next}`]),
      ]);
    };
    await (locks ? withEnvironmentLock(context, serving, `host rm ${name}`, take) : take());
  });
}

/** It is forgotten and no longer cordoned, and still a target. */
function halfRemoved({ name }: Environment, host: string, error: unknown): LockageError {
  const file = environmentFile(name);
  return new LockageError(`${host} is forgotten, but could not be taken out of ${file}: ${messageOf(error)}`, {
    code: ExitCode.broken,
    hint: `Remove its line from ${file} by hand before anything is promoted to ${name}.`,
    cause: error,
  });
}

function hostNamed(environment: Environment, name: string): Host {
  const found = environment.hosts.find((host) => host.name === name);
  if (found) return found;
  const names = environment.hosts.map((host) => host.name);
  throw new LockageError(`no host ${JSON.stringify(name)} in ${environment.name}${didYouMean(name, names)}`, {
    hint: `Hosts of ${environment.name}: ${names.join(', ')}.`,
  });
}

function refuseNeeded(environment: Environment, host: Host): void {
  if (environment.hosts.length === 1) {
    throw new LockageError(`${host.name} is the only host of ${environment.name}`, {
      hint: `Add another one first, or take the environment down: \`lockage destroy ${environment.name}\`.`,
    });
  }
  const living = environment.accessories.filter((accessory) => accessory.host === host.name);
  if (living.length === 0) return;
  throw new LockageError(`${host.name} has the data of ${living.map(({ name }) => name).join(', ')}`, {
    details: living.map(
      ({ name, volumes }) => `accessory ${name}: volumes ${Object.keys(volumes).join(', ') || 'none'}`,
    ),
    hint: 'Move that to another host first, and name it as `host` of the accessory.',
  });
}

/** A host that still serves may go on doing so when nobody knows it any more. */
function refuseInService(environment: Environment, serving: Environment, host: Host): void {
  if (!serving.hosts.includes(host)) return;
  throw new LockageError(`${host.name} is in service: only a cordoned host can be gone for good`, {
    hint: `Run \`lockage host cordon ${host.name} --env ${environment.name}\`.`,
  });
}

function whatIsForgotten(environment: Environment, { containers, ledger }: EnvironmentRecord, host: Host) {
  const names = containers.filter((placed) => placed.host.name === host.name).map(({ spec }) => spec.name);
  const current = currentRevision(ledger);
  const next = current && `lockage promote ${current.release.version} --to ${environment.name}`;
  const text = `${names.length} containers of ${environment.name} on ${host.name} are forgotten; nothing is removed there`;
  return { text, containers: names, ...(next ? { next } : {}) };
}

async function forget(context: CommandContext, { name }: Environment, host: Host): Promise<void> {
  const stacks = await context.stackRunner();
  for (const stack of [name, foundationStack(name)]) await stacks.forgetHosts(stack, [host.name]);
}

/** What taking the host out leads to. Throws LockageError where what it has could not be removed later. */
async function whatHappens(
  context: CommandContext,
  environment: Environment,
  record: EnvironmentRecord,
  host: Host,
): Promise<{ text: string; containers: string[]; next?: string }> {
  const place = { app: context.project.app, environment: environment.name };
  const recorded = record.containers.filter((placed) => placed.host.name === host.name);
  const [asked] = await queryHosts([host], timeouts, async () =>
    inventoryOf(await context.connections.engine(host), host, place, false),
  );
  if (!asked || 'error' in asked) {
    const why = withoutName(host.name, asked?.error ?? '');
    if (recorded.length === 0) return { text: `${host.name}: ${why}; nothing of it is recorded`, containers: [] };
    throw new LockageError(
      `${host.name} does not answer, and what it has of ${environment.name} could not be removed`,
      {
        details: [why, ...recorded.map(({ spec }) => spec.name)],
        hint: `Bring it back; or, if it is gone for good, \`lockage host cordon ${host.name} --env ${environment.name}\`, then \`lockage host rm ${host.name} --env ${environment.name} --gone\`.`,
      },
    );
  }
  const containers = asked.answer.containers.map(({ name }) => name);
  const current = currentRevision(record.ledger);
  if (containers.length === 0 || !current) {
    return { text: `nothing of ${environment.name} runs on ${host.name}`, containers };
  }
  const next = `lockage promote ${current.release.version} --to ${environment.name}`;
  const text = `${containers.length} containers of ${environment.name} on ${host.name} serve until the next promotion`;
  return { text, containers, next };
}

function editOf({ project }: CommandContext, environment: Environment, host: Host): EnvironmentEdit {
  const index = environment.hosts.indexOf(host);
  return {
    root: project.root,
    environment: environment.name,
    edit: (file) => withoutTarget(file, environment.name, index),
    hosts: environment.hosts.map(({ name }) => name).toSpliced(index, 1),
  };
}
