import { withoutCordoned, withoutPending } from '../../../pipelines/model/cordons.ts';
import type { Environment, Project } from '../../../pipelines/model/environment.ts';
import { environmentNamed } from '../../../pipelines/model/pipeline.ts';
import { isSshHost } from '../../../pipelines/model/target.ts';
import { loadProject } from '../../project/load.ts';
import { findReproduction, projectOf } from '../../project/reproductions.ts';
import { Redactor } from '../../tools/redactor.ts';
import { checking, good, type Check } from '../check.ts';
import { cisChecks, cisTitle } from '../doctor/cis.ts';
import { sshConfigChecks } from '../doctor/computer.ts';
import { hostChecks, unaskedChecks } from '../doctor/hosts.ts';
import { machineChecks } from '../doctor/machine.ts';
import { projectChecks } from '../doctor/project.ts';
import { readinessChecks } from '../doctor/readiness.ts';
import { ExitCode } from '../exit-codes.ts';
import { openContext, type CommandContext } from '../open-context.ts';
import type { Flags } from '../options.ts';
import { ConsoleTerminal } from '../terminal.ts';
import { doctorLines, type CheckGroup } from '../views/doctor.ts';

interface DoctorFlags extends Flags {
  readonly env?: string;
  /** also the checks of the CIS benchmark */
  readonly cis?: boolean;
}

/** Runs `lockage doctor`. */
export async function doctorCommand(asked: string | undefined, given: DoctorFlags, signal: AbortSignal): Promise<void> {
  const flags = { ...given, ...(asked === undefined ? {} : { env: asked }) };
  let project: Project | undefined;
  const configuration = await checking('configuration', async () => {
    const reproduced = flags.env === undefined ? undefined : await findReproduction(process.cwd(), flags.env);
    project = reproduced ? projectOf(reproduced) : await loadProject(process.cwd());
    if (flags.env !== undefined) environmentNamed(project, flags.env);
    const { app, root, environments } = project;
    return good('configuration', `${app} in ${root}: ${environments.map(({ name }) => name).join(', ')}`);
  });
  const needsSsh = project?.environments.some(({ machines, hosts }) => machines ?? hosts.some(isSshHost)) ?? true;
  const [machine, groups] = await Promise.all([
    machineChecks(needsSsh),
    project ? projectGroups(configuration, flags, signal) : [{ title: 'project', checks: configuration }],
  ]);
  const all = [{ title: 'this machine', checks: machine }, ...groups];
  show(all, flags);
  if (all.some(({ checks }) => checks.some(({ level }) => level === 'bad'))) process.exitCode = ExitCode.refused;
}

/** Runs the checks that need the project: some of them even when its context cannot be opened as a whole. */
async function projectGroups(
  configuration: readonly Check[],
  flags: DoctorFlags,
  signal: AbortSignal,
): Promise<CheckGroup[]> {
  let groups: CheckGroup[] = [];
  const opening = await checking('project', async () => {
    const context = await openContext({ ...flags, about: flags.env }, signal);
    const environments = context.project.environments.filter(({ name }) => (flags.env ?? name) === name);
    const [own, ...each] = await Promise.all([
      projectChecks(context),
      ...environments.map((environment) => environmentGroups(context, environment, flags)),
    ]);
    groups = [{ title: 'project', checks: [...configuration, ...own] }, ...each.flat()];
    await context.connections.close();
    return [];
  });
  return groups.length > 0 ? groups : [{ title: 'project', checks: [...configuration, ...opening] }];
}

/** One that is named is asked more: whether it could be changed, and be taken back, now. */
async function environmentGroups(
  context: CommandContext,
  environment: Environment,
  { env, cis }: DoctorFlags,
): Promise<CheckGroup[]> {
  const { name } = environment;
  // What is not readable is told among the checks of the project.
  const { ledger } = await context.records.environment(name).catch(() => ({ ledger: { revisions: [] } }));
  const active = withoutPending(withoutCordoned(environment, ledger));
  const [ready, reached, hosts, benchmark] = await Promise.all([
    env === undefined ? [] : readinessChecks(context, environment),
    sshConfigChecks(environment),
    hostChecks(context.connections, context.project, active),
    cis ? cisChecks(context, environment) : undefined,
  ]);
  return [
    { title: name, checks: [...ready, ...reached, ...hosts, ...unaskedChecks(environment, ledger)] },
    ...(benchmark ? [{ title: cisTitle(name), checks: benchmark }] : []),
  ];
}

function show(groups: readonly CheckGroup[], flags: Flags): void {
  const checks = groups.flatMap(({ title, checks: own }) => own.map((check) => ({ group: title, ...check })));
  const ready = checks.every(({ level }) => level !== 'bad');
  // Texts of failed secrets name their sources and never a value.
  const terminal = new ConsoleTerminal({ json: flags.json ?? false, yes: true, redactor: new Redactor() });
  terminal.result({ ready, checks }, doctorLines(groups));
}
