import { cisFacts } from '../../../infra/hosts/cis-facts.ts';
import { queryHosts } from '../../../infra/hosts/query.ts';
import { cisBenchmark, cisResults, type CisResult } from '../../../pipelines/inspection/cis.ts';
import { withoutCordoned, withoutPending } from '../../../pipelines/model/cordons.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import type { Check } from '../check.ts';
import type { CommandContext } from '../open-context.ts';

/** Milliseconds: every container is looked into. */
const timeouts = { first: 5000, total: 60_000 };

/** Checks the hosts and containers of an environment as the CIS benchmark does, one line for each of its numbers. */
export async function cisChecks(
  { connections, project, records }: CommandContext,
  environment: Environment,
): Promise<readonly Check[]> {
  const { containers, ledger } = await records.environment(environment.name);
  const { hosts } = withoutPending(withoutCordoned(environment, ledger));
  const isSwarm = environment.orchestrator !== undefined;
  const place = { app: project.app, environment: environment.name, containers, isSwarm };
  const asked = await queryHosts(hosts, timeouts, async (host, _signal, heard) => {
    const engine = await connections.engine(host);
    heard();
    return cisFacts(engine, host, place);
  });
  const facts = asked.flatMap((each) => ('answer' in each ? [each.answer] : []));
  const silent = asked.flatMap((each): Check[] =>
    'error' in each ? [{ name: each.host.name, level: 'bad', text: `is not checked: ${each.error}` }] : [],
  );
  return [...cisResults(facts).map(checkOf), ...silent];
}

/** Returns the heading of these checks. */
export const cisTitle = (environment: string) => `${environment}: ${cisBenchmark}`;

function checkOf({ id, title, result, details }: CisResult): Check {
  const level = result === 'fail' ? 'warning' : 'good';
  return { name: id, level, text: `${result}: ${title}`, ...(details.length > 0 ? { details } : {}) };
}
