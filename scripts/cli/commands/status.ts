import { observe } from '../../../infra/hosts/observe.ts';
import type { Timeouts } from '../../../infra/hosts/query.ts';
import { InterruptedError, LockageError } from '../../../pipelines/errors.ts';
import { archivedStatus } from '../../../pipelines/inspection/archived.ts';
import { withBlocks } from '../../../pipelines/inspection/blocked.ts';
import {
  environmentStatus,
  soundnessOf,
  type EnvironmentStatus,
  type Soundness,
} from '../../../pipelines/inspection/status.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import { environmentNamed } from '../../../pipelines/model/pipeline.ts';
import { reproducedEnvironment } from '../../../pipelines/planning/reproduced-environment.ts';
import { overOf, overText } from '../environment-life.ts';
import { ExitCode } from '../exit-codes.ts';
import { listReproductions, type FoundReproduction } from '../../project/reproductions.ts';
import { openReproduction, type CommandContext } from '../open-context.ts';
import type { Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';
import { environmentJson, environmentLines, hostDetails, overviewLines } from '../views/status.ts';

/** A host that is busy, or emulated, is not dead. */
const timeouts: Timeouts = { first: 2000, total: 10_000 };

/** Runs `lockage status`. */
export async function statusCommand(flags: StatusFlags, signal: AbortSignal): Promise<void> {
  await runCommand({ ...flags, about: flags.env }, signal, async (context) => {
    const shown =
      flags.env === undefined
        ? await showAll(context, signal)
        : [await showOne(context, environmentNamed(context.project, flags.env))];
    if (flags.check) process.exitCode = exitCodes[soundnessOf(shown)];
  });
}

interface StatusFlags extends Flags {
  readonly env?: string;
  /** the exit code says whether everything is as it is recorded */
  readonly check?: boolean;
}

const exitCodes: Readonly<Record<Soundness, number>> = {
  sound: ExitCode.ok,
  'in part': ExitCode.partial,
  'not at all': ExitCode.broken,
};

/**
 * Shows every environment on a line: those of the pipeline, which are returned, and after them what is reproduced here, and
 * what was archived and is configured no more.
 */
async function showAll(context: CommandContext, signal: AbortSignal): Promise<EnvironmentStatus[]> {
  const reproduced = await listReproductions(process.cwd(), ({ message }) => context.terminal.note(message));
  const [pipeline, ...others] = await Promise.all([
    statusOf(context),
    ...reproduced.map((each) => statusOfReproduction(each, signal)),
  ]);
  const archived = await archivedElsewhere(context);
  const environments = [...pipeline, ...others.flat(), ...archived];
  const lines = overviewLines(environments, context.now(), process.stdout.columns);
  context.terminal.result({ app: context.project.app, environments }, lines);
  return pipeline;
}

async function archivedElsewhere({ project, records }: CommandContext): Promise<EnvironmentStatus[]> {
  const configured = new Set(project.environments.map(({ name }) => name));
  const archives = await records.archives();
  const left = archives.filter(({ environment }) => !configured.has(environment));
  const found = await Promise.all(left.map(({ environment }) => records.environment(environment)));
  // One that was promoted to again is no archive any more, whoever has its configuration.
  return found.flatMap(({ archive }) => (archive ? [archivedStatus(archive)] : []));
}

/** Returns the status of all environments of a project. */
export async function statusOf({
  project,
  records,
  connections,
  machines,
}: CommandContext): Promise<EnvironmentStatus[]> {
  const blocks = await records.blocks();
  return Promise.all(
    project.environments.map(async (environment) => {
      const record = await records.environment(environment.name);
      if (record.archive && !record.pending) return archivedStatus(record.archive);
      const [{ hosts, lock }, loadBalancer] = await Promise.all([
        observe(connections, project.app, environment, record, { timeouts }),
        machines.loadBalancer(environment),
      ]);
      return withBlocks(environmentStatus(environment, record, hosts, lock, loadBalancer), record, blocks);
    }),
  );
}

async function statusOfReproduction(found: FoundReproduction, signal: AbortSignal): Promise<EnvironmentStatus[]> {
  const over = await overOf(found);
  if (over) return [unseenStatus(found, { problems: [], warnings: [overText(found, over)] })];
  try {
    const context = await openReproduction(found, { keyless: true }, signal);
    return await statusOf(context).finally(() => context.connections.close());
  } catch (error) {
    // One whose record is damaged hides no other one.
    if (!(error instanceof LockageError) || error instanceof InterruptedError) throw error;
    const { message, details } = error;
    return [unseenStatus(found, { problems: [message, ...details], warnings: [] })];
  }
}

/** The status of one whose host was not looked at: what is over is not to be expected there, and what is damaged cannot be. */
function unseenStatus(
  { reproduction }: FoundReproduction,
  notes: Pick<EnvironmentStatus, 'problems' | 'warnings'>,
): EnvironmentStatus {
  const { name, reproduces } = reproducedEnvironment(reproduction);
  return {
    name,
    hosts: { ready: 0, total: 0 },
    ...(reproduces ? { reproduces } : {}),
    ...notes,
    rollback: [],
    cordons: [],
  };
}

async function showOne(context: CommandContext, environment: Environment): Promise<EnvironmentStatus> {
  const { app } = context.project;
  const record = await context.records.environment(environment.name);
  if (record.archive && !record.pending) return showArchived(context, archivedStatus(record.archive));
  const [seen, loadBalancer, blocks] = await Promise.all([
    observe(context.connections, app, environment, record, { timeouts, detailed: true }),
    context.machines.loadBalancer(environment),
    context.records.blocks(),
  ]);
  const bare = environmentStatus(environment, record, seen.hosts, seen.lock, loadBalancer);
  const status = withBlocks(bare, record, blocks);
  const hosts = hostDetails(record, seen.hosts);
  context.terminal.result({ app, ...environmentJson(status, hosts) }, environmentLines(status, hosts, context.now()));
  return status;
}

function showArchived({ project, terminal, now }: CommandContext, status: EnvironmentStatus): EnvironmentStatus {
  terminal.result({ app: project.app, ...environmentJson(status, []) }, environmentLines(status, [], now()));
  return status;
}
