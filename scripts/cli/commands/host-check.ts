import { hostFacts } from '../../../infra/hosts/facts.ts';
import { queryHosts } from '../../../infra/hosts/query.ts';
import { differencesAmong, differencesFrom } from '../../../pipelines/hosts/parity.ts';
import { withoutCordoned } from '../../../pipelines/model/cordons.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import type { HostTraits } from '../../../pipelines/model/host-traits.ts';
import { keptReleases } from '../../../pipelines/model/ledger.ts';
import { environmentNames } from '../../../pipelines/model/names.ts';
import { upstream } from '../../../pipelines/model/pipeline.ts';
import { ExitCode } from '../exit-codes.ts';
import type { CommandContext } from '../open-context.ts';
import type { Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';
import { hostCheckLines, type CheckedEnvironment, type CheckedHost } from '../views/host-check.ts';
import { chosenEnvironments, withoutName } from './host-list.ts';

/** The milliseconds a host has to answer everything: an ssh connection may have to be made first. */
const timeouts = { first: 15_000 };

/** Runs `lockage host check`. */
export async function hostCheckCommand(name: string | undefined, flags: Flags, signal: AbortSignal): Promise<void> {
  await runCommand(flags, signal, async (context) => {
    const checked = await checkHosts(context, chosenEnvironments(context, name));
    const silent = checked.flatMap(({ hosts }) => hosts.filter(({ facts }) => facts === undefined));
    context.terminal.result(
      { app: context.project.app, environments: checked, silent: silent.map((host) => host.name) },
      hostCheckLines(checked),
    );
    if (silent.length > 0) process.exitCode = ExitCode.partial;
  });
}

/** Collects facts about the hosts of environments, and how they differ from each other and from those before them. */
export async function checkHosts(
  context: CommandContext,
  environments: readonly Environment[],
): Promise<readonly CheckedEnvironment[]> {
  const compared = environments.flatMap((environment) => [environment, ...upstream(context.project, environment)]);
  const hosts = new Map(
    await Promise.all(
      [...new Set(compared)].map(
        async (environment) => [environment.name, await factsOf(context, environment)] as const,
      ),
    ),
  );
  return environments.map((environment): CheckedEnvironment => {
    const { name, after } = environment;
    const own = hosts.get(name) ?? [];
    return {
      name,
      hosts: own,
      cordoned: environment.hosts.map((host) => host.name).filter((host) => !own.some((each) => each.name === host)),
      differences: differencesAmong(traits(name, own)),
      before: after.map((other) => {
        const there = hosts.get(other) ?? [];
        return {
          environment: other,
          differences: differencesFrom(traits(other, there), traits(name, own)),
          silent: there.filter(({ facts }) => facts === undefined).map((host) => host.name),
        };
      }),
      demanded: environment.same,
    };
  });
}

async function factsOf(context: CommandContext, environment: Environment): Promise<CheckedHost[]> {
  const { app } = context.project;
  const { edge } = environmentNames(app, environment.name);
  const { ledger } = await context.records.environment(environment.name);
  const retained = keptReleases(ledger);
  // A cordoned host is not missed.
  const { hosts } = withoutCordoned(environment, ledger);
  const asked = await queryHosts(hosts, timeouts, async (host, signal) =>
    hostFacts(await context.connections.engine(host), host, { edge, retained, signal }),
  );
  return asked.map((found) => {
    const { name } = found.host;
    return 'answer' in found ? { name, facts: found.answer } : { name, error: withoutName(name, found.error) };
  });
}

function traits(environment: string, hosts: readonly CheckedHost[]): HostTraits[] {
  return hosts.flatMap(({ name, facts }) => (facts ? [{ environment, host: name, traits: facts.traits }] : []));
}
